//! A process of its own that follows the cluster, and says what came into force when.
//!
//! It decides nothing: whoever started it compares times.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::{runtime::Runtime, sync::watch};
use tokio_util::sync::CancellationToken;
use waypoint_user::{
    kernel::{self, DataPath},
    mesh::{
        object::ObjectName,
        snapshot::{self, Snapshot},
    },
    sync::{
        self, Served, Source,
        cluster::{Access, Place, Scope},
    },
    telemetry::{metrics::Registry, readiness::Readiness},
};

/// As what the cluster is followed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// The agent of a node, with its data path.
    Agent,
    /// A pod of a waypoint.
    Waypoint,
}

impl Role {
    /// Its name, on the command line and in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Waypoint => "waypoint",
        }
    }

    fn scope(self) -> Scope {
        match self {
            Self::Agent => Scope::Node(NODE.to_owned()),
            Self::Waypoint => Scope::Waypoint(ObjectName::new(WAYPOINT_NAMESPACE, "waypoint")),
        }
    }
}

/// When a change came into force.
#[derive(Debug)]
pub(super) struct Seen {
    /// By the clock.
    pub(super) at: SystemTime,
    /// Since the watch delivered it.
    pub(super) since_delivery: Duration,
}

/// The process, as whoever started it sees it.
pub(super) struct Follower {
    role: Role,
    child: Child,
    lines: BufReader<ChildStdout>,
    first: Duration,
}

impl Follower {
    /// Starts one and waits until the first Snapshot is in force.
    pub(super) fn start(role: Role, kubeconfig: &Path) -> Result<Self> {
        let own = std::env::current_exe()?;
        let mut command = Command::new(own);
        command.args(["--follow", role.name(), "--kubeconfig"]).arg(kubeconfig);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let lines = BufReader::new(child.stdout.take().context("no output")?);
        let mut follower = Self { role, child, lines, first: Duration::ZERO };
        let ready = follower.line()?;
        follower.first = micros(&ready, "first_us");
        Ok(follower)
    }

    pub(super) fn role(&self) -> Role {
        self.role
    }

    /// How long the first Snapshot took.
    pub(super) fn first(&self) -> Duration {
        self.first
    }

    /// Waits until a Service is bound, or is not.
    pub(super) fn wait_for(&mut self, service: &str, is_bound: bool) -> Result<Seen> {
        loop {
            let line = self.line()?;
            let is_of = line.get("service").and_then(Value::as_str) == Some(service);
            if is_of && line.get("is_bound").and_then(Value::as_bool) == Some(is_bound) {
                let at = UNIX_EPOCH + micros(&line, "at_us");
                return Ok(Seen { at, since_delivery: micros(&line, "delivery_us") });
            }
        }
    }

    /// The bytes that it holds.
    pub(super) fn memory(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next());
        Ok(kilobytes.context("no VmRSS")?.parse::<u64>()? * 1024)
    }

    /// The CPU time that it took so far.
    pub(super) fn cpu(&self) -> Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let (_, fields) = stat.rsplit_once(')').context("no name in stat")?;
        let ticks: u64 = fields
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(|ticks| ticks.parse::<u64>().unwrap_or_default())
            .sum();
        Ok(Duration::from_millis(ticks * 10))
    }

    fn line(&mut self) -> Result<Value> {
        let mut line = String::new();
        if self.lines.read_line(&mut line)? == 0 {
            bail!("the {} ended", self.role.name());
        }
        Ok(serde_json::from_str(&line)?)
    }
}

/// A number of microseconds in a line.
fn micros(line: &Value, key: &str) -> Duration {
    Duration::from_micros(line.get(key).and_then(Value::as_u64).unwrap_or_default())
}

impl Drop for Follower {
    fn drop(&mut self) {
        // It ends when nobody writes to it any more, and leaves the host as it was.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Follows until nobody writes to standard input any more.
pub fn follow(role: Role, kubeconfig: PathBuf) -> Result<()> {
    let runtime = Runtime::new()?;
    let (began, shutdown) = (Instant::now(), CancellationToken::new());
    let end = shutdown.clone();
    thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        end.cancel();
    });
    let registry = Registry::new();
    let feed = runtime.block_on(sync::watch(settings(role, kubeconfig), shutdown.clone()))?;
    feed.export(&registry);
    let snapshots = feed.snapshots.clone();
    let kernel = match role {
        Role::Agent => {
            let shutdown = shutdown.clone();
            Some(Kernel::start(&runtime, snapshots.clone(), &registry, shutdown)?)
        }
        Role::Waypoint => None,
    };
    let progress = kernel.as_ref().map(|kernel| kernel.progress.clone());
    Teller { snapshots, progress, registry, shutdown, last: None }.run(&runtime, began)?;
    kernel.map_or(Ok(()), |kernel| kernel.end(&runtime))
}

fn settings(role: Role, kubeconfig: PathBuf) -> sync::Settings {
    let access = Access { kubeconfig: Some(kubeconfig), context: None };
    sync::Settings {
        source: Source::Cluster(Place::new(access, role.scope())),
        mesh: snapshot::Settings::default(),
        waypoints: Served::ByStatus,
    }
}

/// Says which Services are bound, whenever that is in force.
struct Teller {
    snapshots: watch::Receiver<Arc<Snapshot>>,
    /// What the data path has applied, if there is one.
    progress: Option<kernel::Progress>,
    registry: Registry,
    shutdown: CancellationToken,
    last: Option<BTreeMap<ObjectName, bool>>,
}

impl Teller {
    fn run(mut self, runtime: &Runtime, began: Instant) -> Result<()> {
        loop {
            let snapshot = Arc::clone(&self.snapshots.borrow_and_update());
            let arrived = Instant::now();
            if self.comes_into_force(&snapshot)? {
                self.tell(&snapshot, began, arrived)?;
            }
            let (snapshots, shutdown) = (&mut self.snapshots, &self.shutdown);
            let changed = runtime.block_on(shutdown.run_until_cancelled(snapshots.changed()));
            if !matches!(changed, Some(Ok(()))) {
                return Ok(());
            }
        }
    }

    /// Waits until it is in force; false if another is there before.
    fn comes_into_force(&self, snapshot: &Arc<Snapshot>) -> Result<bool> {
        let is_in = || self.progress.as_ref().is_none_or(|progress| progress.has(snapshot));
        while !is_in() && !self.snapshots.has_changed()? && !self.shutdown.is_cancelled() {
            thread::park_timeout(LOOK);
        }
        Ok(is_in())
    }

    fn tell(&mut self, snapshot: &Snapshot, began: Instant, arrived: Instant) -> Result<()> {
        let at = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros())?;
        let now = bindings(snapshot);
        let Some(last) = self.last.replace(now.clone()) else {
            return say(&json!({"first_us": u64::try_from(began.elapsed().as_micros())?}));
        };
        let delivery = u64::try_from(arrived.elapsed().as_micros())? + published(&self.registry);
        for (name, is_bound) in now.iter().filter(|(name, now)| last.get(*name) != Some(now)) {
            say(&json!({
                "service": name.name, "is_bound": is_bound, "at_us": at, "delivery_us": delivery,
            }))?;
        }
        Ok(())
    }
}

/// The agent's data path.
struct Kernel {
    settings: kernel::Settings,
    progress: kernel::Progress,
    running: tokio::task::JoinHandle<Result<kernel::Ended, kernel::Error>>,
}

impl Kernel {
    fn start(
        runtime: &Runtime,
        snapshots: watch::Receiver<Arc<Snapshot>>,
        registry: &Registry,
        shutdown: CancellationToken,
    ) -> Result<Self> {
        let settings = kernel::Settings {
            pin_dir: PathBuf::from("/sys/fs/bpf/wpt-bench-sync"),
            run_dir: PathBuf::from("/run/wpt-bench-sync"),
            link: "wptbsd".to_owned(),
            workers: 1,
            node: Some(NODE.to_owned()),
            ..kernel::Settings::default()
        };
        let path = runtime.block_on(DataPath::prepare(settings.clone(), registry))?;
        let (progress, gate) = (path.progress(), Readiness::new().gate("data path"));
        let running = runtime.spawn(path.run(snapshots, gate, shutdown));
        Ok(Self { settings, progress, running })
    }

    fn end(self, runtime: &Runtime) -> Result<()> {
        runtime.block_on(self.running)??;
        kernel::cleanup(&self.settings)?;
        Ok(())
    }
}

fn bindings(snapshot: &Snapshot) -> BTreeMap<ObjectName, bool> {
    let services = snapshot.services().iter();
    services.map(|(name, one)| (name.clone(), one.binding.waypoint().is_some())).collect()
}

/// How long the last change took from its arrival to its publication, in microseconds.
fn published(registry: &Registry) -> u64 {
    let text = registry.encode();
    let line = text.lines().find_map(|line| line.strip_prefix(LAG));
    line.and_then(|value| value.trim().parse().ok()).unwrap_or_default()
}

fn say(line: &Value) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

const LAG: &str = "waypoint_sync_lag_microseconds{stage=\"publication\"}";
/// How often to look whether a Snapshot is in the maps.
const LOOK: Duration = Duration::from_micros(200);
/// The agent's node.
pub(super) const NODE: &str = "node-7";
/// Where the waypoint is.
pub(super) const WAYPOINT_NAMESPACE: &str = "waypoints";
