//! A process that holds a node's data path: the kernel's half, the engine behind it, and what shows
//! both.
//!
//! It decides nothing; it starts the parts in the order in which they need each other and stops
//! them in the reverse.
//!
//! **Invariant:** the process says that it is ready only after the kernel's path was probed end to
//! end.
//! **Invariant:** capture stops before the engine does, so that nobody is handed to an engine that
//! ends, and certificates are renewed until it has ended.
//! **Invariant:** two processes never do at once what only one may: the next one begins it when the
//! former has said that it stopped.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
    time::sleep,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    control::redirection::{self, Captured},
    identity::Identities,
    kernel::{self, DataPath, Ended, Sockets, flows, lookup::Lookup, service_vips},
    proxy::{self, Doors, Engine, Network, Surroundings},
    sync::{
        self, Feed,
        cluster::{self, Access},
    },
    telemetry::{
        admin::{self, Addresses, AdminAddress, Content, Serving},
        flows::{Hub, NOT_WATCHED},
        logging::LogLevel,
        metrics::Registry,
        readiness::{Gate, Readiness},
        task,
        traces::{self, Whose},
    },
};

use super::{
    Error,
    applied::Applied,
    explanations::explanations,
    parts::{config_in_force, flush, start_telemetry},
};

/// What every process is told that holds a data path.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What is put on the host.
    pub kernel: kernel::Settings,
    /// How connections are handled.
    pub proxy: proxy::Settings,
    /// Where operators look.
    pub admin: Addresses,
    /// The nftables table that forwards Service addresses, if this process keeps one.
    pub service_vips: Option<String>,
    /// The cgroup whose connections are watched, if any are.
    pub cgroup: Option<PathBuf>,
    /// Whether requests and connections are logged on stdout.
    pub access_log: bool,
    /// How spans are sent, if they are.
    pub tracing: Option<traces::Settings>,
    /// The cluster whose pods are marked as captured, if that is where the mesh comes from.
    pub cluster: Option<Access>,
    /// What happens after another process has taken over.
    pub after_handover: AfterHandover,
}

/// What a process does that another has taken over from, when it has drained.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum AfterHandover {
    /// It ends.
    #[default]
    Exit,
    /// It does nothing until it is asked to end: what started it would start it again.
    Wait,
}

/// The process itself, and when its parts end.
pub(super) struct Process {
    pub(super) registry: Registry,
    pub(super) readiness: Readiness,
    pub(super) level: LogLevel,
    /// Cancelled by who wants the process to end.
    asked: CancellationToken,
    /// Asks everything to end: at that, or after a hand-over.
    pub(super) shutdown: CancellationToken,
    /// Ends what outlives the drain.
    pub(super) drained: CancellationToken,
    /// Closed until the process alone holds the data path, and after it was taken over.
    gate: Gate,
    /// Ends the status endpoint with the process.
    _status: Option<DropGuard>,
}

impl Process {
    /// One of which no part has started. A unix socket of the status endpoint is its own, so that
    /// it is there from now on; whatever else shows the process may still be another's.
    pub(super) fn new(
        level: LogLevel,
        asked: CancellationToken,
        addresses: &mut Addresses,
    ) -> Result<Self, Error> {
        let (registry, readiness) = (Registry::new(), Readiness::new());
        let gate = readiness.gate("process");
        let own = addresses.status.take_if(|status| matches!(status, AdminAddress::Unix(_)));
        let serve = |address| {
            let stop = CancellationToken::new();
            admin::serve_status(&address, readiness.clone(), stop.clone())?;
            Ok::<_, Error>(stop.drop_guard())
        };
        let status = own.map(serve).transpose()?;
        let (shutdown, drained) = (asked.child_token(), CancellationToken::new());
        Ok(Self { registry, readiness, level, asked, shutdown, drained, gate, _status: status })
    }

    /// Does nothing until somebody wants the process to end.
    async fn rest(&self) {
        self.gate.close("another process has taken over; this one waits for its end");
        self.asked.cancelled().await;
    }
}

/// What one role gives its engine and another does not.
pub(super) struct Role<N> {
    /// The mesh.
    pub(super) feed: Feed,
    /// What identities are proven with.
    pub(super) identities: Option<Identities>,
    /// Makes that where connections are opened from.
    pub(super) network: N,
}

/// Runs until shutdown is asked for, or another process has taken over, and everything has ended.
pub(super) async fn run<N>(settings: Settings, role: Role<N>, process: Process) -> Result<(), Error>
where
    N: FnOnce(Sockets) -> Arc<dyn Network>,
{
    let Role { feed, identities, network } = role;
    let mut data_path = DataPath::prepare(settings.kernel.clone(), &process.registry).await?;
    let whose = Whose { service: SERVICE.to_owned(), pod: None };
    let traces = (settings.tracing.as_ref(), whose);
    let telemetry = start_telemetry(settings.access_log, traces, &process.registry)?;
    let surroundings = Surroundings {
        snapshots: feed.snapshots.clone(),
        doors: doors(&mut data_path),
        origins: data_path.origins(),
        network: network(data_path.sockets()),
        identities,
        telemetry: telemetry.clone(),
    };
    let engine = Engine::start(settings.proxy.clone(), surroundings)?;
    let gate = process.readiness.gate("data path");
    let (generation, snapshots) = (feed.generation.clone(), feed.snapshots.clone());
    let applied = Applied::new(generation, snapshots, engine.in_force()).with_data_path(&data_path);
    let from_kernel = FromKernel { flows: data_path.flows(), captured: data_path.captured() };
    let sights = Sights { settings: &settings, feed: &feed, from_kernel, process: &process };
    // In this order: without a predecessor, what shows the data path is there before it runs.
    let (sights, captured) = tokio::join!(
        sights.open(applied, data_path.alone()),
        capture(data_path, &feed, gate, &process.shutdown),
    );
    let outcome = match captured {
        Ok(Ended::TakenOver(successor)) => {
            close(sights).await?;
            successor.release().await;
            process.shutdown.run_until_cancelled(sleep(HANDSHAKES)).await;
            process.shutdown.cancel();
            drain(engine, &telemetry).await;
            process.drained.cancel();
            if settings.after_handover == AfterHandover::Wait {
                process.rest().await;
            }
            Ok(())
        }
        captured => {
            drain(engine, &telemetry).await;
            process.drained.cancel();
            close(sights).await.and(captured.map(drop).map_err(Error::from))
        }
    };
    // A task that panicked was logged when it did.
    let _ = feed.follower.await;
    outcome
}

/// Captures until shutdown or hand-over. It can also end by itself; then everything else must.
async fn capture(
    data_path: DataPath,
    feed: &Feed,
    gate: Gate,
    shutdown: &CancellationToken,
) -> Result<Ended, kernel::Error> {
    let run = data_path.run(feed.snapshots.clone(), gate, shutdown.clone());
    // In a box, as it is large and lives as long as the process.
    let captured = Box::pin(run).await;
    if !matches!(captured, Ok(Ended::TakenOver(_))) {
        shutdown.cancel();
    }
    captured
}

/// Lets what is under way end.
async fn drain(engine: Engine, telemetry: &proxy::Telemetry) {
    let counts = engine.drain().await;
    tracing::info!(finished = counts.finished, cut = counts.cut, "drained");
    flush(telemetry).await;
}

/// Closes what was opened.
async fn close(sights: Result<Option<Open>, Error>) -> Result<(), Error> {
    if let Some(open) = sights? {
        open.close().await;
    }
    Ok(())
}

/// What shows and completes the data path, and what only one process may have: Service addresses,
/// watched connections, marks of captured pods, and the admin endpoint, which outlives the drain so
/// that it can be watched.
struct Sights<'a> {
    settings: &'a Settings,
    feed: &'a Feed,
    from_kernel: FromKernel,
    process: &'a Process,
}

/// What the kernel's half tells.
struct FromKernel {
    flows: flows::Source,
    captured: watch::Receiver<Option<Arc<Captured>>>,
}

impl Sights<'_> {
    /// Opens all of it when no other process has it any more; nothing at shutdown before. If it
    /// cannot be opened, everything else must end.
    async fn open(self, applied: Applied, alone: CancellationToken) -> Result<Option<Open>, Error> {
        let shutdown = &self.process.shutdown;
        if shutdown.run_until_cancelled(alone.cancelled()).await.is_none() {
            return Ok(None);
        }
        self.open_now(applied).await.map(Some).inspect_err(|_| shutdown.cancel())
    }

    async fn open_now(self, mut applied: Applied) -> Result<Open, Error> {
        let Self { settings, feed, from_kernel, process } = self;
        let FromKernel { flows, captured } = from_kernel;
        let stop = process.shutdown.child_token();
        let marks = mark(settings, feed, captured, stop.clone()).await?;
        let vips = settings.service_vips.clone().map(|table| {
            let progress = applied.service_vips();
            let gate = process.readiness.gate("service addresses");
            let snapshots = feed.snapshots.clone();
            let run = service_vips::run(snapshots, table, progress, gate, stop.clone());
            task::spawn("service-vips", run)
        });
        applied.register(&process.registry);
        feed.export(&process.registry);
        let hub = Hub::new();
        let watched = watch(settings, feed, &flows, (&hub, &process.registry, &stop));
        let (watched, shown) = match watched {
            Ok(watched) => (Some(watched), Ok(hub)),
            Err(why) => (None, Err(why)),
        };
        let content = Content {
            registry: process.registry.clone(),
            readiness: process.readiness.clone(),
            level: process.level.clone(),
            applied: None,
            flows: shown,
            config: config_in_force(feed),
            questions: vec![explanations(feed, Some(Lookup::new(&settings.kernel)))],
        };
        let unwatched = process.drained.child_token();
        let admin = admin::serve(&settings.admin, content, unwatched.clone())?;
        tracing::info!(admin = %admin.address, "starting");
        process.gate.open();
        Ok(Open { stop, vips, marks, watched, admin, unwatched })
    }
}

/// Watches connections of pods, or says why not. Nobody's connections depend on it, so that a node
/// where it cannot be done is served all the same.
fn watch(
    settings: &Settings,
    feed: &Feed,
    flows: &flows::Source,
    (hub, registry, stop): (&Hub, &Registry, &CancellationToken),
) -> Result<oneshot::Receiver<()>, String> {
    let cgroup = settings.cgroup.as_deref().ok_or_else(|| NOT_WATCHED.to_owned())?;
    let attached = flows.attach(cgroup);
    let following = attached.and_then(|flows| {
        flows.follow(feed.snapshots.clone(), registry, hub.clone(), stop.clone())
    });
    hub.export(registry);
    following.map_err(|error| {
        tracing::warn!(%error, "connections of pods are not watched");
        format!("connections of pods are not watched: {error}")
    })
}

/// Marks captured pods in the cluster, if there is one.
async fn mark(
    settings: &Settings,
    feed: &Feed,
    captured: watch::Receiver<Option<Arc<Captured>>>,
    stop: CancellationToken,
) -> Result<Option<JoinHandle<()>>, Error> {
    let (Some(access), Some(node)) = (&settings.cluster, settings.kernel.node.clone()) else {
        return Ok(None);
    };
    let client = cluster::connect(access).await.map_err(sync::Error::from)?;
    let sources = redirection::Sources { node, captured, objects: feed.objects.clone() };
    Ok(Some(task::spawn("redirection", redirection::follow(client, sources, stop))))
}

/// All of it, open.
struct Open {
    stop: CancellationToken,
    vips: Option<JoinHandle<()>>,
    marks: Option<JoinHandle<()>>,
    watched: Option<oneshot::Receiver<()>>,
    admin: Serving,
    unwatched: CancellationToken,
}

impl Open {
    /// Ends it and waits until it has ended.
    async fn close(self) {
        self.stop.cancel();
        self.unwatched.cancel();
        // A task that panicked was logged when it did.
        for ended in self.vips.into_iter().chain(self.marks).chain([self.admin.ended]) {
            let _ = ended.await;
        }
        if let Some(ended) = self.watched {
            let _ = ended.await;
        }
    }
}

/// The listeners of each worker.
fn doors(data_path: &mut DataPath) -> Vec<Doors> {
    let of_worker = |listeners: kernel::Listeners| Doors {
        captured: listeners.captured,
        inbound: listeners.inbound,
        ..Doors::default()
    };
    data_path.listeners().into_iter().map(of_worker).collect()
}

/// How spans name the process, where nobody says it otherwise.
const SERVICE: &str = "waypoint";

/// How long the listeners of a process that was taken over stay open for connections that were
/// being made at that moment; long enough to send a lost SYN-ACK again.
const HANDSHAKES: Duration = Duration::from_secs(2);
