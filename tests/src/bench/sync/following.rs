//! The process that follows: the cluster is read, put in force as the role does it, and told.
//!
//! It times nothing but its own beginning.

use std::{
    collections::BTreeMap,
    io::Write as _,
    path::PathBuf,
    sync::Arc,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::Result;
use serde_json::{Value, json};
use tokio::{
    runtime::{Builder, Runtime},
    sync::watch,
};
use tokio_util::sync::CancellationToken;
use waypoint_user::{
    mesh::{
        object::ObjectName,
        snapshot::{self, Snapshot},
    },
    sync::{
        self, Served, Source,
        cluster::{Access, Place},
    },
    telemetry::{logging, metrics::Registry},
};

use super::{follower::Role, force::Force};

/// Follows until nobody writes to standard input any more.
#[expect(
    clippy::disallowed_methods,
    reason = "it is started by its parent, and has no arguments of its own"
)]
pub fn follow(role: Role, kubeconfig: PathBuf) -> Result<()> {
    // Where the time goes, for who asks: `RUST_LOG=debug`.
    if let Ok(directives) = std::env::var("RUST_LOG") {
        logging::init(&directives, logging::Format::Text)?;
    }
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
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
    let force = Force::start(role, &runtime, snapshots.clone(), (&registry, &shutdown))?;
    let teller = Teller { snapshots, force: &force, registry, shutdown, last: BTreeMap::new() };
    teller.run(&runtime, began)?;
    force.end(&runtime)
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
struct Teller<'f> {
    snapshots: watch::Receiver<Arc<Snapshot>>,
    force: &'f Force,
    registry: Registry,
    shutdown: CancellationToken,
    last: BTreeMap<ObjectName, bool>,
}

impl Teller<'_> {
    fn run(mut self, runtime: &Runtime, began: Instant) -> Result<()> {
        let mut is_first = true;
        loop {
            let snapshot = Arc::clone(&self.snapshots.borrow_and_update());
            let arrived = Instant::now();
            if self.comes_into_force(&snapshot)? {
                self.tell(&snapshot, arrived, is_first)?;
                if std::mem::take(&mut is_first) {
                    say(&json!({"first_us": u64::try_from(began.elapsed().as_micros())?}))?;
                }
            }
            drop(snapshot);
            let (snapshots, shutdown) = (&mut self.snapshots, &self.shutdown);
            let changed = runtime.block_on(shutdown.run_until_cancelled(snapshots.changed()));
            if !matches!(changed, Some(Ok(()))) {
                return Ok(());
            }
        }
    }

    /// Waits until it is in force; false if another is there before.
    fn comes_into_force(&self, snapshot: &Arc<Snapshot>) -> Result<bool> {
        let is_in = || self.force.has(snapshot);
        while !is_in() && !self.snapshots.has_changed()? && !self.shutdown.is_cancelled() {
            thread::park_timeout(LOOK);
        }
        Ok(is_in())
    }

    /// Says what differs from what was said last.
    fn tell(&mut self, snapshot: &Snapshot, arrived: Instant, is_first: bool) -> Result<()> {
        let at = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros())?;
        let here = u64::try_from(arrived.elapsed().as_micros())?;
        for (name, service) in snapshot.services() {
            let now = service.binding.waypoint().is_some();
            match self.last.get_mut(name) {
                Some(last) if *last == now => continue,
                Some(last) => *last = now,
                None => drop(self.last.insert(name.clone(), now)),
            }
            if !is_first {
                say(&json!({
                    "service": name.name, "is_bound": now, "at_us": at,
                    "delivery_us": here + published(&self.registry),
                }))?;
            }
        }
        Ok(())
    }
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
/// How often to look whether a Snapshot is in force.
const LOOK: Duration = Duration::from_micros(200);
