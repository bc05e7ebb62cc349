//! What several roles are made of.

use std::{io, sync::Arc, time::Duration};

use crate::{
    proxy,
    sync::Feed,
    telemetry::{
        access::AccessLog,
        config_dump,
        metrics::Registry,
        traces::{self, Tracing, Whose},
    },
};

use super::Error;

/// Shows whatever is in force when it is asked.
pub(super) fn config_in_force(feed: &Feed) -> Box<dyn Fn() -> String + Send + Sync> {
    let (snapshots, reports) = (feed.snapshots.clone(), feed.reports.clone());
    Box::new(move || {
        let snapshot = Arc::clone(&snapshots.borrow());
        let report = Arc::clone(&reports.borrow());
        config_dump::show(&snapshot, &report)
    })
}

/// Where an engine reports to: the access log is on stdout or nowhere, and spans go where they are
/// to go, if anywhere.
pub(super) fn start_telemetry(
    access_log: bool,
    (traces, whose): (Option<&traces::Settings>, Whose),
    registry: &Registry,
) -> Result<proxy::Telemetry, Error> {
    let log = if access_log {
        AccessLog::start(io::stdout(), registry).map_err(Error::AccessLog)?
    } else {
        AccessLog::off(registry)
    };
    let tracing = traces.map(|settings| Tracing::start(settings, whose, registry)).transpose()?;
    let tracing = tracing.unwrap_or_default();
    Ok(proxy::Telemetry { registry: registry.clone(), access_log: log, tracing })
}

/// Waits until what was told is written and sent.
pub(super) async fn flush(telemetry: &proxy::Telemetry) {
    if !telemetry.tracing.close(FLUSH_PATIENCE).await {
        tracing::warn!("spans of the last requests were not delivered in time");
    }
    telemetry.access_log.flush(FLUSH_PATIENCE);
}

/// How long the end of the process waits for the access log to be written, and for spans.
const FLUSH_PATIENCE: Duration = Duration::from_secs(2);
