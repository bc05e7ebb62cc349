//! What several roles are made of.

use std::{io, sync::Arc, time::Duration};

use crate::{
    sync::Feed,
    telemetry::{access::AccessLog, config_dump, metrics::Registry},
};

/// Shows whatever is in force when it is asked.
pub(super) fn config_in_force(feed: &Feed) -> Box<dyn Fn() -> String + Send + Sync> {
    let (snapshots, reports) = (feed.snapshots.clone(), feed.reports.clone());
    Box::new(move || {
        let snapshot = Arc::clone(&snapshots.borrow());
        let report = Arc::clone(&reports.borrow());
        config_dump::show(&snapshot, &report)
    })
}

/// The access log on stdout, or nowhere.
pub(super) fn start_access_log(wanted: bool, registry: &Registry) -> io::Result<AccessLog> {
    if wanted { AccessLog::start(io::stdout(), registry) } else { Ok(AccessLog::off(registry)) }
}

/// How long the end of the process waits for the access log to be written.
pub(super) const FLUSH_PATIENCE: Duration = Duration::from_secs(2);
