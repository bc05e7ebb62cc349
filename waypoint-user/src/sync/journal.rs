//! Findings in the log: each once when it is new, and once more when it is gone.
//!
//! It logs nothing per connection.

use tracing::{error, info, warn};

use crate::mesh::report::{Report, Severity};

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
    for (object, finding) in before.since(after) {
        if finding.severity > Severity::Notice {
            info!(%object, reason = finding.reason, "resolved: {}", finding.message);
        }
    }
}
