//! Findings in the log: each once when it is new, and once more when it is gone.
//!
//! It logs nothing per connection.

use std::collections::HashSet;

use tracing::{error, info, warn};

use crate::mesh::{
    object::ObjectRef,
    report::{Report, Severity},
};

/// Logs what differs between two Reports; findings that are as they should be are not logged.
pub(super) fn log(before: &Report, after: &Report) {
    for (object, finding) in after.since(before) {
        let (reason, message) = (&finding.reason, &finding.message);
        match finding.severity {
            Severity::Accepted => {}
            Severity::Notice => info!(%object, reason, "{message}"),
            Severity::Warning => warn!(%object, reason, "{message}"),
            Severity::Error => error!(%object, reason, "{message}"),
        }
    }
    // A finding that only moved to another line of its file is not resolved.
    let still: HashSet<(&ObjectRef, &str)> =
        after.iter().map(|(object, finding)| (object, finding.reason.as_str())).collect();
    for (object, finding) in before.since(after) {
        let gone = !still.contains(&(object, finding.reason.as_str()));
        if gone && finding.severity > Severity::Notice {
            info!(%object, reason = finding.reason, "resolved: {}", finding.message);
        }
    }
}

#[cfg(test)]
mod tests;
