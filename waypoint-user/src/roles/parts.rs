//! What several roles are made of.

use std::{io, path::Path, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::{
    kernel::{self, DataPath},
    sync::Feed,
    telemetry::{access::AccessLog, config_dump, flows::Hub, metrics::Registry},
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

/// Watches the connections of the pods in a cgroup, if one is given; they are shown by the result.
pub(super) fn watch_flows(
    data_path: &DataPath,
    cgroup: Option<&Path>,
    feed: &Feed,
    (registry, shutdown): (&Registry, &CancellationToken),
) -> Result<Hub, kernel::Error> {
    let hub = Hub::new();
    hub.export(registry);
    if let Some(cgroup) = cgroup {
        let flows = data_path.flows(cgroup)?;
        flows.follow(feed.snapshots.clone(), registry, hub.clone(), shutdown.clone())?;
    }
    Ok(hub)
}

/// How long the end of the process waits for the access log to be written.
pub(super) const FLUSH_PATIENCE: Duration = Duration::from_secs(2);
