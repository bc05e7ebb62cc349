//! A process' way of following a cluster, in the test's own process.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context, Result, anyhow};
use tokio::{runtime::Runtime, sync::watch::Receiver, time::timeout};
use tokio_util::sync::CancellationToken;
use waypoint_user::{
    mesh::{object::ObjectName, report::Report, snapshot::Snapshot},
    sync::{
        self, Feed, Served, Settings, Source,
        cluster::{Access, Pace, Place, Scope},
    },
    telemetry::metrics::Registry,
};

/// Follows a cluster.
pub(crate) struct Reader {
    pub(crate) feed: Feed,
    runtime: Runtime,
    shutdown: CancellationToken,
    registry: Registry,
}

impl Reader {
    /// Follows all of a cluster; waits for the first Snapshot.
    pub(crate) fn start(kubeconfig: &Path) -> Result<Self> {
        Self::of(settings(kubeconfig, Scope::Whole))
    }

    /// The same with other settings.
    pub(crate) fn of(settings: Settings) -> Result<Self> {
        Self::within(settings, PATIENCE)?.context("no Snapshot in time")
    }

    /// The same; none if there is no Snapshot after so long.
    pub(crate) fn within(settings: Settings, patience: Duration) -> Result<Option<Self>> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let shutdown = CancellationToken::new();
        let first = runtime
            .block_on(async { timeout(patience, sync::watch(settings, shutdown.clone())).await });
        let Ok(feed) = first else { return Ok(None) };
        let (feed, registry) = (feed?, Registry::new());
        feed.export(&registry);
        Ok(Some(Self { feed, runtime, shutdown, registry }))
    }

    /// The Snapshot in force.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.feed.snapshots.borrow())
    }

    /// Waits for a Snapshot of which something holds.
    pub(crate) fn wait(
        &self,
        what: &str,
        holds: impl Fn(&Snapshot) -> bool,
    ) -> Result<Arc<Snapshot>> {
        self.wait_for(self.feed.snapshots.clone(), what, holds)
    }

    /// Waits for a Report of which something holds.
    pub(crate) fn wait_for_report(
        &self,
        what: &str,
        holds: impl Fn(&Report) -> bool,
    ) -> Result<Arc<Report>> {
        self.wait_for(self.feed.reports.clone(), what, holds)
    }

    /// Waits until there is something to say of the source that contains a text, or until there is
    /// not.
    pub(crate) fn wait_for_note(&self, text: &str, is_there: bool) -> Result<()> {
        let holds = |report: &Report| {
            let mut notes = report.iter().filter(|(object, _)| object.kind == "Source");
            notes.any(|(_, finding)| finding.message.contains(text)) == is_there
        };
        self.wait_for_report(text, holds).map(drop)
    }

    /// The sum of a metric's values in lines that contain a text.
    pub(crate) fn metric(&self, name: &str, text: &str) -> f64 {
        let all = self.registry.encode();
        let lines = all.lines().filter(|line| line.starts_with(name) && line.contains(text));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    fn wait_for<T>(
        &self,
        mut values: Receiver<Arc<T>>,
        what: &str,
        holds: impl Fn(&T) -> bool,
    ) -> Result<Arc<T>> {
        let found = self
            .runtime
            .block_on(async { timeout(PATIENCE, values.wait_for(|value| holds(value))).await });
        match found {
            Ok(value) => Ok(Arc::clone(&*value?)),
            Err(_) => Err(anyhow!("not in time: {what}")),
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// How a cluster is followed: fast, so that stories need not wait long.
pub(crate) fn settings(kubeconfig: &Path, scope: Scope) -> Settings {
    let access = Access { kubeconfig: Some(kubeconfig.to_owned()), context: None };
    let pace = Pace {
        retry_max: Duration::from_millis(500),
        look_again: Duration::from_millis(200),
        ..Pace::default()
    };
    let place = Place { pace, ..Place::new(access, scope) };
    let mesh = waypoint_user::mesh::snapshot::Settings::default();
    Settings { source: Source::Cluster(place), mesh, waypoints: Served::ByStatus }
}

/// The same with another pace.
pub(crate) fn paced(kubeconfig: &Path, change: impl FnOnce(&mut Pace)) -> Settings {
    let mut settings = settings(kubeconfig, Scope::Whole);
    if let Source::Cluster(place) = &mut settings.source {
        change(&mut place.pace);
    }
    settings
}

/// Whether there is a Service of this name.
pub(crate) fn has_service(namespace: &str, name: &str) -> impl Fn(&Snapshot) -> bool {
    let name = ObjectName::new(namespace, name);
    move |snapshot| snapshot.services().contains_key(&name)
}

/// A Service, as YAML.
pub(crate) fn service(namespace: &str, name: &str, port: u16) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
         spec: {{ports: [{{port: {port}}}]}}\n---\n"
    )
}

/// An AuthorizationPolicy for a Service, as YAML, which denies to this block of addresses.
pub(crate) fn policy(namespace: &str, service: &str, block: &str) -> String {
    format!(
        "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n\
         metadata: {{name: deny, namespace: {namespace}}}\n\
         spec:\n  action: DENY\n  targetRefs: [{{kind: Service, group: '', name: {service}}}]\n  \
         rules: [{{from: [{{source: {{ipBlocks: ['{block}']}}}}]}}]\n---\n"
    )
}

/// The ports of a Service.
pub(crate) fn ports(snapshot: &Snapshot, namespace: &str, name: &str) -> Vec<u16> {
    let service = snapshot.services().get(&ObjectName::new(namespace, name));
    service.iter().flat_map(|service| &service.ports).map(|port| port.number).collect()
}

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
