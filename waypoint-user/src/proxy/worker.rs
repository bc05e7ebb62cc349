//! A worker: one thread with its runtime, listeners and everything that requests need.
//!
//! **Invariant:** nothing of a worker is touched by another thread but its counters.

use std::{
    cell::{Cell, RefCell},
    io,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};
use tokio::{
    runtime::{Builder, LocalOptions},
    sync::{Notify, watch},
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

use crate::{
    hbone,
    http2::Allowance,
    identity::Identities,
    mesh::request::Peer,
    telemetry::{access::AccessLog, metrics::traffic::Shard, task, traces::Tracing},
};

use super::{
    Doors, Drained, Duty, Network, Origins, Settings, Telemetry,
    accept::{self, Admit},
    gauges::Gauges,
    http::{MirrorCounts, Mirrors},
    in_force::InForce,
    inbound,
    late::Waiting,
    lease::Leases,
    limits::{DRAIN_FIRST_BYTES_TIMEOUT, IDLE_TIMEOUT, Limits, TUNNEL_IDLE_TIMEOUT},
    overload::{Overload, Pressure, watch_memory},
    regime::Regimes,
    resolve::{self, Dns, Names},
    seats::Seats,
    tables::Tables,
    terminate,
    upstream::Pool,
    view::{Endpoint, Home, Loads, View},
    way::{self, Way},
    ways::Ways,
};

/// What every worker is given.
#[derive(Clone)]
pub(super) struct Equipment {
    pub(super) settings: Settings,
    pub(super) tables: watch::Receiver<Arc<Tables>>,
    pub(super) origins: Origins,
    pub(super) network: Arc<dyn Network>,
    pub(super) identities: Option<Identities>,
    pub(super) hbone: hbone::Settings,
    pub(super) growth: Allowance,
    pub(super) lookups: Arc<resolve::Counts>,
    pub(super) mirrored: Arc<MirrorCounts>,
    pub(super) telemetry: Telemetry,
    pub(super) in_force: InForce,
    pub(super) regimes: Arc<Regimes>,
    pub(super) pressure: Pressure,
    pub(super) drain: CancellationToken,
}

/// What all connections of a worker share.
pub(super) struct Worker {
    pub(super) settings: Settings,
    pub(super) origins: Origins,
    pub(super) network: Arc<dyn Network>,
    pub(super) identities: Option<Identities>,
    pub(super) hbone: hbone::Settings,
    /// What the windows of HTTP/2 connections may grow by.
    pub(super) growth: Allowance,
    pub(super) tunnels: hbone::Pool,
    /// Connections of [`tunnels`](Self::tunnels), by peer.
    pub(super) live: Rc<hbone::Live>,
    ways: Ways,
    pub(super) log: AccessLog,
    pub(super) tracing: Tracing,
    pub(super) shard: Arc<Shard>,
    pub(super) limits: Limits,
    pub(super) leases: Leases,
    pub(super) pool: Pool,
    pub(super) waiting: Waiting,
    pub(super) mirrors: Mirrors,
    pub(super) drain: CancellationToken,
    pub(super) overload: Overload,
    tables: RefCell<watch::Receiver<Arc<Tables>>>,
    view: RefCell<Rc<View>>,
    loads: Rc<Loads>,
    chance: RefCell<fastrand::Rng>,
    connections: Cell<usize>,
    ended: Notify,
    cutting: Cell<bool>,
    pub(super) gauges: Arc<Gauges>,
    pub(super) seats: Seats,
}

impl Worker {
    /// Runs a worker on this thread until it is drained.
    pub(super) fn run(
        equipment: Equipment,
        number: usize,
        doors: Doors,
        (gauges, seats): (Arc<Gauges>, Seats),
    ) -> io::Result<Drained> {
        let options = LocalOptions::default();
        let runtime = Builder::new_current_thread().enable_all().build_local(options)?;
        let in_force = equipment.in_force.clone();
        let memory = (equipment.pressure.clone(), equipment.settings.memory_max);
        runtime.block_on(async {
            let worker = Rc::new(Self::new(equipment, (gauges, seats)));
            let mut accepting = Vec::new();
            let captured = doors.captured.into_iter().map(|one| (one, accept::captured as Admit));
            let inbound = doors.inbound.into_iter().map(|one| (one, inbound::admit as Admit));
            let proxied = doors.proxied.into_iter().map(|one| (one, terminate::headed as Admit));
            let plain = doors.services.into_iter().map(|one| (one, terminate::plain as Admit));
            for (listener, admit) in captured.chain(inbound).chain(proxied).chain(plain) {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                let accept = accept::accept(Rc::clone(&worker), listener, admit);
                accepting.push(task::spawn_local("accept", accept));
            }
            accepting.extend(terminate::open(&worker, doors.hbone, doors.local)?);
            task::spawn_local("follow the mesh", follow(Rc::clone(&worker), number, in_force));
            if number == 0 {
                task::spawn_local("watch memory", watch_memory(memory.0, memory.1));
            }
            task::spawn_local("cut revoked peers", cut_revoked(Rc::clone(&worker)));
            task::spawn_local("close idle connections", close_idle(Rc::clone(&worker)));
            worker.drain.cancelled().await;
            for accept in accepting {
                // Accepting ends by itself when draining; a panic in it was logged by its task.
                let _ = accept.await;
            }
            Ok(worker.drained().await)
        })
    }

    fn new(equipment: Equipment, (gauges, seats): (Arc<Gauges>, Seats)) -> Self {
        let Equipment { settings, mut tables, origins, network, identities, .. } = equipment;
        let Equipment { hbone, growth, lookups, mirrored, telemetry, drain, .. } = equipment;
        let (pressure, regimes) = (equipment.pressure, equipment.regimes);
        let overload = Overload::new(settings.requests_max, pressure, &telemetry.registry);
        let limits = Limits::new(&telemetry.registry);
        let dns = Box::new(Dns::new(&settings.name_servers));
        let names = Rc::new(Names::new(dns, lookups, limits.names.clone()));
        let loads = Rc::new(Loads::new(&regimes));
        let own = match &settings.duty {
            Duty::Waypoint(own) => Some(own.clone()),
            Duty::Everything | Duty::Node(_) => None,
        };
        let view = View::new(Arc::clone(&tables.borrow_and_update()), &loads, None);
        let view = view.of_waypoint(own).at(Home::of(&settings)).resolving(names).under(regimes);
        Self {
            settings,
            origins,
            network,
            identities,
            tunnels: hbone::Pool::new(hbone.clone()),
            live: Rc::default(),
            hbone,
            growth,
            ways: Ways::default(),
            log: telemetry.access_log,
            tracing: telemetry.tracing,
            shard: telemetry.registry.shard(),
            limits,
            leases: Leases::default(),
            pool: Pool::default(),
            waiting: Waiting::default(),
            mirrors: Mirrors::new(mirrored),
            drain,
            overload,
            tables: RefCell::new(tables),
            view: RefCell::new(Rc::new(view)),
            loads,
            chance: RefCell::new(fastrand::Rng::new()),
            connections: Cell::new(0),
            ended: Notify::new(),
            cutting: Cell::new(false),
            gauges,
            seats,
        }
    }

    /// The mesh as it is now. Whoever begins a request keeps the view until its end.
    pub(super) fn view(&self) -> Rc<View> {
        let mut tables = self.tables.borrow_mut();
        if tables.has_changed().unwrap_or(false) {
            let changed = Arc::clone(&tables.borrow_and_update());
            let view = View::new(changed, &self.loads, Some(&self.view.borrow()));
            self.view.replace(Rc::new(view));
        }
        Rc::clone(&self.view.borrow())
    }

    /// Tells when the mesh changes.
    pub(super) fn changes(&self) -> watch::Receiver<Arc<Tables>> {
        self.tables.borrow().clone()
    }

    /// The way to an endpoint, for what a peer asks.
    pub(super) fn way(&self, endpoint: &Endpoint, peer: &Peer) -> Way {
        match &self.settings.duty {
            Duty::Node(_) => Way::of_client(endpoint, peer),
            Duty::Everything | Duty::Waypoint(_) => {
                let source = self.identities.as_ref().and(self.settings.identity.as_ref());
                self.ways.to(endpoint, source, peer)
            }
        }
    }

    /// A number below `bound`, each with the same chance.
    pub(super) fn dice(&self, bound: u32) -> u32 {
        self.chance.borrow_mut().u32(..bound.max(1))
    }

    /// A number of which each bit is set by chance.
    pub(super) fn random(&self) -> u128 {
        self.chance.borrow_mut().u128(..)
    }

    /// A place for one more connection; `None` when all are taken.
    pub(super) fn place(self: &Rc<Self>) -> Option<Place> {
        if self.connections.get() >= self.settings.connections_max {
            self.limits.connections.hit();
            return None;
        }
        self.connections.set(self.connections.get() + 1);
        self.gauges.opened();
        Some(Place(Rc::clone(self)))
    }

    /// Waits until a drain began and connections that ask for nothing had their time.
    pub(super) async fn drain_patience(&self) {
        self.drain.cancelled().await;
        tokio::time::sleep(DRAIN_FIRST_BYTES_TIMEOUT).await;
    }

    /// Whether what is under way is being cut, because a drain took too long.
    pub(super) fn is_cutting(&self) -> bool {
        self.cutting.get()
    }

    /// Waits until all connections ended, and those that carried them, at most until the deadline.
    async fn drained(&self) -> Drained {
        let open = self.connections.get();
        let deadline = Instant::now() + self.settings.drain_deadline;
        while self.connections.get() > 0 {
            if timeout_at(deadline, self.ended.notified()).await.is_err() {
                break;
            }
        }
        let cut = self.connections.get();
        // Peers that do not close a connection after its last stream are not waited for longer, and
        // nothing is lost with it.
        let _ = timeout_at(deadline, self.seats.emptied()).await;
        self.cutting.set(true);
        Drained { finished: open.saturating_sub(cut), cut }
    }
}

/// A connection that counts until this is dropped.
pub(super) struct Place(Rc<Worker>);

impl Place {
    /// The worker that gave it.
    pub(super) fn worker(&self) -> &Rc<Worker> {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.connections.set(self.0.connections.get().saturating_sub(1));
        self.0.gauges.closed();
        self.0.ended.notify_one();
    }
}

/// Judges what is under way whenever the mesh changes, and says by what new requests go.
async fn follow(worker: Rc<Worker>, number: usize, in_force: InForce) {
    let mut changes = worker.changes();
    let mut before = worker.view();
    in_force.reached(number, before.snapshot());
    while changes.changed().await.is_ok() {
        let view = worker.view();
        worker.tunnels.evict(|key| way::holds(key, before.snapshot(), view.snapshot()));
        worker.pool.evict(|way| way.still_leads(before.snapshot(), view.snapshot()));
        worker.ways.forget();
        before = Rc::clone(&view);
        in_force.reached(number, view.snapshot());
        worker.leases.review(&view).await;
    }
}

/// Cuts connections that we opened when the certificate of their peer is revoked.
async fn cut_revoked(worker: Rc<Worker>) {
    let Some(identities) = &worker.identities else { return };
    let mut revocations = identities.revocations();
    loop {
        revocations.changed().await;
        let cut = worker.live.cut(|peer| revocations.is_revoked(peer));
        if cut > 0 {
            tracing::info!(cut, "connections to revoked peers were cut");
        }
    }
}

/// Closes connections to endpoints that nobody used for a while.
async fn close_idle(worker: Rc<Worker>) {
    loop {
        tokio::time::sleep(IDLE_CHECK).await;
        worker.pool.close_idle(IDLE_TIMEOUT);
        worker.tunnels.close_idle(TUNNEL_IDLE_TIMEOUT);
    }
}

/// Binds this thread to one of the processors that the process may use.
pub(super) fn pin(number: usize) {
    let this_thread = Pid::from_raw(0);
    let pinned = sched_getaffinity(this_thread).and_then(|allowed| {
        let usable = |cpu: &usize| allowed.is_set(*cpu).unwrap_or(false);
        let cpus: Vec<usize> = (0..CpuSet::count()).filter(usable).collect();
        let mut set = CpuSet::new();
        if let Some(cpu) = cpus.get(number % cpus.len().max(1)) {
            set.set(*cpu)?;
            sched_setaffinity(this_thread, &set)?;
        }
        Ok(())
    });
    if let Err(cause) = pinned {
        tracing::warn!(worker = number, %cause, "a worker is not pinned to a processor");
    }
}

/// How often idle connections are looked for.
const IDLE_CHECK: Duration = Duration::from_secs(5);
