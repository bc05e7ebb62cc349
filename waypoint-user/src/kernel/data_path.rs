//! The data path as a whole: set up, run, and hand out what the engine needs.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, PoisonError, RwLock, atomic::AtomicU64, atomic::Ordering},
};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use waypoint_common::{
    program,
    redirect::{PROBE_SLOT, slot_of_mark},
};

use super::{
    Error, Progress, Settings,
    agent_netns::AgentNetns,
    attachment, bpffs, bypassing, counters, events, flows,
    handover::{self, Hello, Predecessor, Successor},
    inside::Sockets,
    listeners::{self, InSlot, Listeners},
    lock::Lock,
    maps::{self, Configuration, Place},
    object,
    pins::Pins,
    programs::Programs,
};
use crate::{
    mesh::{object::ObjectName, request::Origin, snapshot::Snapshot},
    telemetry::{
        metrics::{Limit, Registry},
        readiness::Gate,
        task,
    },
};
use mirrors::Mirrors;

mod mirrors;
mod running;

/// Says where a captured connection came from, by the `SO_MARK` of its socket.
pub type Origins = Arc<dyn Fn(u32) -> Origin + Send + Sync>;

/// Everything in the kernel that this process has made or taken over.
pub struct DataPath {
    settings: Settings,
    lock: Lock,
    /// The process that goes on if this one does not come into force.
    predecessor: Option<Predecessor>,
    /// Cancelled when no other process shares the data path any more.
    alone: CancellationToken,
    pins: Pins,
    agent: AgentNetns,
    programs: Programs,
    configuration: Configuration,
    listeners: Vec<Listeners>,
    in_slots: Vec<InSlot>,
    sockets: Sockets,
    origins: Arc<RwLock<std::collections::HashMap<u16, Origin>>>,
    progress: Progress,
    captured: watch::Sender<Option<Arc<Captured>>>,
    counts: Counts,
}

/// Pods whose connections are captured, with their uids.
pub type Captured = BTreeMap<ObjectName, Arc<str>>;

/// What is counted in this process.
#[derive(Clone, Debug)]
struct Counts {
    reattached: Arc<AtomicU64>,
    repaired: Arc<AtomicU64>,
    full: Limit,
    unseen: Limit,
    bypassing: bypassing::Totals,
    events: events::Read,
    handovers: handover::Count,
}

/// How a data path's run ended without a failure.
#[derive(Debug)]
pub enum Ended {
    /// By shutdown.
    Shutdown,
    /// Another process serves all that is new.
    TakenOver(Successor),
}

impl DataPath {
    /// Whether another process has this data path, and would be asked to hand it over.
    pub fn is_held(settings: &Settings) -> bool {
        Lock::is_taken(&settings.run_dir)
    }

    /// Sets everything up, or takes over what an earlier process left or hands over. New
    /// connections are not captured before [`run`](Self::run), unless an earlier process still
    /// does.
    pub async fn prepare(settings: Settings, registry: &Registry) -> Result<Self, Error> {
        let (lock, predecessor) = enter(&settings).await?;
        bpffs::ensure(&settings.pin_dir)?;
        let pins = Pins::new(&settings.pin_dir);
        pins.create()?;
        let agent = AgentNetns::ensure(&settings).await?;
        let pinned = Configuration::open(&pins)?.map(|known| known.current().programs);
        let (programs, replaced) = Programs::ensure(&pins, pinned)?;
        let configuration = Configuration::of_pins(&pins)?;
        tracing::info!(replaced, pins = %settings.pin_dir.display(), "eBPF programs in place");
        let listeners = listeners::open(agent.netns(), settings.workers, settings.inbound)?;
        let in_slots = listeners.first().map_or_else(|| Ok(Vec::new()), Listeners::in_slots)?;
        let sockets = Sockets::new(agent.netns().duplicate()?);
        let counts = Counts::export(registry);
        let alone = CancellationToken::new();
        if predecessor.is_none() {
            alone.cancel();
        }
        counters::export(registry, maps::stats(&pins)?);
        let mut data_path = Self {
            settings,
            lock,
            predecessor,
            alone,
            pins,
            agent,
            programs,
            configuration,
            listeners,
            in_slots,
            sockets,
            origins: Arc::default(),
            progress: Progress::default(),
            captured: watch::Sender::new(None),
            counts,
        };
        data_path.attach_to_agent().await?;
        for pin in data_path.pins.remove_other_versions()? {
            tracing::info!(pin = %pin.display(), "removed what another version left");
        }
        Ok(data_path)
    }

    /// The listeners of each worker. They are handed out once.
    pub fn listeners(&mut self) -> Vec<Listeners> {
        std::mem::take(&mut self.listeners)
    }

    /// Opens sockets in the namespaces of this node's pods and in the agent's.
    pub fn sockets(&self) -> Sockets {
        self.sockets.clone()
    }

    /// Where captured connections come from.
    pub fn origins(&self) -> Origins {
        let origins = Arc::clone(&self.origins);
        Arc::new(move |mark| match slot_of_mark(mark) {
            None => Origin::Unknown,
            Some(PROBE_SLOT) => Origin::Probe,
            Some(slot) => {
                let origins = origins.read().unwrap_or_else(PoisonError::into_inner);
                origins.get(&slot).cloned().unwrap_or(Origin::Unknown)
            }
        })
    }

    /// Cancelled when this process may do what only one may: at once, or when the process that
    /// hands over has stopped it.
    pub fn alone(&self) -> CancellationToken {
        self.alone.clone()
    }

    /// Watches the connections of enrolled pods.
    pub fn flows(&self) -> flows::Source {
        flows::Source::new(self.pins.clone())
    }

    /// Which Snapshot is in force.
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// The pods whose connections are captured; nothing before that was found out.
    pub fn captured(&self) -> watch::Receiver<Option<Arc<Captured>>> {
        self.captured.subscribe()
    }

    /// Captures connections until shutdown, or until another process does: follows Snapshots and
    /// the host's links, proves itself, and opens the gate for as long as the proof holds. At
    /// shutdown new connections are left to each destination's fail mode; the pins stay, for the
    /// next process.
    pub async fn run(
        self,
        snapshots: watch::Receiver<Arc<Snapshot>>,
        gate: Gate,
        shutdown: CancellationToken,
    ) -> Result<Ended, Error> {
        let (pins, counts) = (self.pins.clone(), self.counts.events.clone());
        let alone = self.alone.clone();
        let told = task::spawn("kernel events", async move {
            alone.cancelled().await;
            match maps::events(&pins) {
                Ok(ring) => events::follow(ring, counts).await,
                Err(cause) => tracing::warn!(%cause, "events of the kernel are not read"),
            }
        });
        let outcome = running::run(self, snapshots, gate, shutdown).await;
        told.abort();
        // Whoever comes next must be the only reader.
        let _ = told.await;
        outcome
    }

    /// Attaches `from_agent` and `steer`, and writes where the agent is. Idempotent; after the
    /// agent's namespace was made again it puts everything in its new place.
    async fn attach_to_agent(&mut self) -> Result<(), Error> {
        let pin = self.pins.link(program::FROM_AGENT);
        let link = self.settings.link.clone();
        attachment::ensure_at_head(&mut self.programs.from_agent, &link, &pin).await?;
        self.programs.attach_steer(&self.pins, self.agent.netns())?;
        let place = Place {
            agent_if: self.agent.host_ifindex(),
            inner: self.agent.inner(),
            agent_nsid: self.agent.nsid(),
        };
        self.configuration.place(place, object::fingerprint())
    }
}

/// Takes the lock, or asks the process that has it to hand over.
async fn enter(settings: &Settings) -> Result<(Lock, Option<Predecessor>), Error> {
    let busy = match Lock::take(&settings.run_dir) {
        Ok(lock) => return Ok((lock, None)),
        Err(busy @ Error::Busy { .. }) => busy,
        Err(cause) => return Err(cause),
    };
    let asked = Predecessor::ask(&settings.run_dir, Hello::of(settings)).await?;
    let (predecessor, lock) = asked.ok_or(busy)?;
    Ok((lock, Some(predecessor)))
}

impl fmt::Debug for DataPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataPath").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Counts {
    fn export(registry: &Registry) -> Self {
        let counts = Self {
            reattached: Arc::default(),
            repaired: Arc::default(),
            full: registry.limit("kernel_map_entries"),
            unseen: registry.limit("processes_looked_at"),
            bypassing: bypassing::Totals::export(registry),
            events: events::Read::export(registry),
            handovers: handover::Count::export(registry),
        };
        let reattached = Arc::clone(&counts.reattached);
        registry.counter_source(
            "waypoint_reattached_total",
            "How often another program was ahead of one of ours, which was then attached again.",
            "program",
            move || vec![(program::FROM_POD.to_owned(), reattached.load(Ordering::Relaxed))],
        );
        let repaired = Arc::clone(&counts.repaired);
        registry.counter_source(
            "waypoint_data_path_repairs_total",
            "How often the data path failed its self-probe and was repaired.",
            "cause",
            move || vec![("probe".to_owned(), repaired.load(Ordering::Relaxed))],
        );
        counts
    }
}
