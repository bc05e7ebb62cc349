//! Findings, said briefly.
//!
//! It decides no severity.

use crate::mesh::report::{Finding, Severity};

/// As it should be.
pub(super) fn accepted(reason: &str, message: impl Into<String>) -> Finding {
    finding(Severity::Accepted, reason, message)
}

/// Worth knowing.
pub(super) fn notice(reason: &str, message: impl Into<String>) -> Finding {
    finding(Severity::Notice, reason, message)
}

/// Works, but not as written.
pub(super) fn warning(reason: &str, message: impl Into<String>) -> Finding {
    finding(Severity::Warning, reason, message)
}

/// Not in force.
pub(super) fn error(reason: &str, message: impl Into<String>) -> Finding {
    finding(Severity::Error, reason, message)
}

fn finding(severity: Severity, reason: &str, message: impl Into<String>) -> Finding {
    Finding { severity, reason: reason.to_owned(), message: message.into() }
}
