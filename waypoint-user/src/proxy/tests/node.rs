//! A node between loopback addresses: a client pod `web`, a Service `shop` with the pod `shop-0`,
//! and a waypoint whose pods the test plays.

mod instance;
mod loopback;
mod slow;

use std::{
    cell::RefCell,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::{linux::net::SocketAddrExt, unix::net::SocketAddr as UnixAddress},
    process,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

pub(super) use self::instance::Instance;
use self::{loopback::Loopback, slow::Slow};
use super::{
    lab::{PATIENCE, Page},
    publish,
};
use crate::{
    hbone::{self, Connect, Io, Key, Pool},
    identity::{self, Identities, ca::Authority},
    mesh::{
        binding::Binding,
        label::Labels,
        object::ObjectName,
        request::Origin,
        service::{AppProtocol, Endpoint, Service, ServicePort},
        snapshot::{Contents, Snapshot},
        spiffe::SpiffeId,
        waypoint::{Placement, Waypoint},
        workload::{Enrolment, NetnsRef, Transport, Workload},
    },
    proxy::{Doors, Duty, Engine, LocalHop, Node, Settings, Surroundings, Telemetry, Vantage},
    telemetry::{access::AccessLog, metrics::Registry, traces::Tracing},
};

/// The node's name.
pub(super) const NODE: &str = "node-a";

/// An engine that serves a node.
pub(super) struct NodeLab {
    engine: Engine,
    pub(super) registry: Registry,
    pub(super) authority: Arc<Authority>,
    /// The address of the pod `web`.
    pub(super) web: IpAddr,
    /// The address of the pod `shop-0`.
    pub(super) shop: IpAddr,
    /// What clients of the Service dial.
    pub(super) vip: SocketAddr,
    /// The application in `shop-0`.
    pub(super) application: TcpListener,
    /// From where the engine dialled.
    pub(super) vantages: Arc<Mutex<Vec<Vantage>>>,
    slow: Arc<Slow>,
    log: AccessLog,
    page: Page,
    contents: RefCell<Contents>,
    snapshots: watch::Sender<Arc<Snapshot>>,
    _ends: tokio_util::sync::DropGuard,
}

impl NodeLab {
    /// The node as it is before a test changes it.
    pub(super) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// The same, with contents changed.
    pub(super) async fn start_with(change: impl FnOnce(&mut Contents)) -> Self {
        Self::start_set(|_| {}, change).await
    }

    /// The same, with settings and contents changed.
    pub(super) async fn start_set(
        set: impl FnOnce(&mut Settings),
        change: impl FnOnce(&mut Contents),
    ) -> Self {
        let (web, shop, vip) = (address(), address(), address());
        let application = TcpListener::bind((shop, 0)).await.unwrap();
        let captured = listener(SocketAddr::new(vip, 0));
        let inbound = listener(SocketAddr::new(shop, hbone::PORT));
        let dialled = captured.local_addr().unwrap();
        let mut contents = Contents::default();
        add_pod(&mut contents, "web", web);
        add_pod(&mut contents, "shop-0", shop);
        add_shop(&mut contents, dialled, application.local_addr().unwrap());
        change(&mut contents);
        let (snapshots, receiver) = watch::channel(Arc::new(Snapshot::new(contents.clone())));
        let (registry, page, shutdown) =
            (Registry::new(), Page::default(), CancellationToken::new());
        let log = AccessLog::start(page.clone(), &registry).unwrap();
        let authority = Arc::new(Authority::ephemeral("cluster.local").unwrap());
        let slow = Slow::of(&authority);
        let defaults = identity::Settings::default();
        let identities =
            Identities::start(defaults, Arc::clone(&slow), &registry, shutdown.clone());
        let vantages = Arc::default();
        let pods = contents.workloads.values().map(|pod| (pod.name.clone(), pod.addresses.clone()));
        let network = Loopback { pods: pods.collect(), vantages: Arc::clone(&vantages) };
        let surroundings = Surroundings {
            snapshots: receiver,
            doors: vec![Doors {
                captured: vec![captured],
                inbound: vec![inbound],
                ..Doors::default()
            }],
            origins: Arc::new(|_| Origin::Pod(name("web"))),
            network: Arc::new(network),
            identities: Some(identities),
            telemetry: telemetry(&registry, &log),
        };
        let node = Node { name: NODE.to_owned(), local_hop: LocalHop::Unix };
        let mut settings =
            Settings { duty: Duty::Node(node), drain_deadline: PATIENCE, ..Settings::default() };
        set(&mut settings);
        let engine = Engine::start(settings, surroundings).unwrap();
        Self {
            engine,
            registry,
            authority,
            web,
            shop,
            vip: dialled,
            application,
            vantages,
            slow,
            log,
            page,
            contents: RefCell::new(contents),
            snapshots,
            _ends: shutdown.drop_guard(),
        }
    }

    /// Changes the mesh while the engine runs.
    pub(super) fn change(&self, change: impl FnOnce(&mut Contents)) {
        let mut contents = self.contents.borrow_mut();
        change(&mut contents);
        publish(&self.engine, &self.snapshots, &contents);
    }

    /// A connection of the pod `web` to the Service.
    pub(super) async fn connect(&self) -> TcpStream {
        self.try_connect().await.unwrap()
    }

    /// Waits for a connection of the pod `web` to be reset, maybe before it was seen to be there.
    pub(super) async fn connect_in_vain(&self) {
        let reset = match self.try_connect().await {
            Ok(mut stream) => timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap_err(),
            Err(reset) => reset,
        };
        assert_eq!(reset.kind(), io::ErrorKind::ConnectionReset);
    }

    async fn try_connect(&self) -> io::Result<TcpStream> {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(self.web, 0)).unwrap();
        timeout(PATIENCE, socket.connect(self.vip)).await.unwrap()
    }

    /// The next connection to the application.
    pub(super) async fn accept(&self) -> (TcpStream, SocketAddr) {
        timeout(PATIENCE, self.application.accept()).await.expect("nobody connects").unwrap()
    }

    /// Says whether the authority knows the pods of the node.
    pub(super) fn authority_knows(&self, knows: bool) {
        self.slow.knows.store(knows, Ordering::SeqCst);
    }

    /// Waits until the authority was asked, and knew nothing.
    pub(super) async fn asked_for_a_certificate(&self) {
        let until = Instant::now() + PATIENCE;
        while self.slow.asked.load(Ordering::SeqCst) == 0 {
            assert!(Instant::now() < until, "nobody asks for a certificate");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Waits for the access log to have this many lines, and returns the last.
    pub(super) async fn line(&self, number: usize) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            self.log.flush(PATIENCE);
            let lines = self.page.lines();
            assert!(lines.len() <= number, "more than {number} lines: {lines:#?}");
            if let Some(line) = lines.get(number - 1) {
                return line.clone();
            }
            assert!(Instant::now() < until, "no line {number} in {lines:#?}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Opens a stream to `shop-0` as somebody, from an address.
    pub(super) async fn open(
        &self,
        pool: &Pool,
        (account, from): (&str, IpAddr),
        connect: &Connect,
    ) -> Result<hbone::Stream, hbone::Error> {
        let source = account_of(account);
        let expected = vec![account_of("shop-0")];
        let to = SocketAddr::new(self.shop, hbone::PORT);
        let uid = Arc::from("shop-0");
        let (source_of, expected_of) = (Arc::clone(&source), expected.clone());
        let key = Key { source, expected, from: Some(from), to, workload: uid };
        let authority = Arc::clone(&self.authority);
        let dial = async move {
            let credentials = authority.credentials(&source_of, DAY).unwrap();
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind(SocketAddr::new(from, 0)).unwrap();
            let failed = |cause: io::Error| hbone::Error::Connect(cause.to_string());
            let stream = socket.connect(to).await.map_err(failed)?;
            let (stream, _) = hbone::tls::connect(stream, &credentials, &expected_of).await?;
            Ok(Box::new(stream) as Box<dyn Io>)
        };
        timeout(PATIENCE, pool.open(&key, connect, dial)).await.expect("no answer")
    }
}

/// Where an engine reports to that traces nothing.
fn telemetry(registry: &Registry, log: &AccessLog) -> Telemetry {
    let (registry, access_log) = (registry.clone(), log.clone());
    Telemetry { registry, access_log, tracing: Tracing::default() }
}

/// Adds the waypoint before the Service, with a pod at each address, on another node.
pub(super) fn add_waypoint(contents: &mut Contents, instances: &[IpAddr]) {
    let waypoint = name("waypoint");
    let found =
        Waypoint { placement: Placement::Pods(Vec::new()), ..Waypoint::new(waypoint.clone()) };
    contents.waypoints.insert(waypoint.clone(), Arc::new(found));
    for (number, address) in instances.iter().enumerate() {
        let name = name(&format!("waypoint-{number}"));
        let pod = Workload {
            node: "node-b".to_owned(),
            identity: account_of("waypoint"),
            addresses: vec![*address],
            enrolment: Enrolment::Waypoint,
            instance_of: Some(waypoint.clone()),
            ..Workload::new(name.clone())
        };
        contents.workloads.insert(name, Arc::new(pod));
    }
    change_service(contents, |shop| shop.binding = Binding::Bound(waypoint));
}

/// Changes the Service.
pub(super) fn change_service(contents: &mut Contents, change: impl FnOnce(&mut Service)) {
    change(Arc::make_mut(contents.services.get_mut(&name("shop")).unwrap()));
}

/// Changes a pod.
pub(super) fn change_pod(contents: &mut Contents, pod: &str, change: impl FnOnce(&mut Workload)) {
    change(Arc::make_mut(contents.workloads.get_mut(&name(pod)).unwrap()));
}

/// A name in `default`.
pub(super) fn name(name: &str) -> ObjectName {
    ObjectName::new("default", name)
}

/// An identity in `default`.
pub(super) fn account_of(account: &str) -> Arc<SpiffeId> {
    Arc::new(SpiffeId::new("cluster.local", "default", account))
}

/// A loopback address that no other test of this process uses, and hardly one of another process.
pub(super) fn address() -> IpAddr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [_, _, high, low] = process::id().to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(127, high, low, NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// An abstract name of an address, in place of a name in a namespace of its own.
pub(super) fn abstract_name(netns: &NetnsRef) -> UnixAddress {
    UnixAddress::from_abstract_name(format!("waypoint-test-{netns}")).unwrap()
}

fn add_pod(contents: &mut Contents, pod: &str, address: IpAddr) {
    let found = Workload {
        node: NODE.to_owned(),
        labels: Labels::from([("app".to_owned(), pod.to_owned())]),
        identity: account_of(pod),
        addresses: vec![address],
        enrolment: Enrolment::Enrolled,
        transport: Transport::Hbone,
        ..Workload::new(name(pod))
    };
    contents.workloads.insert(name(pod), Arc::new(found));
}

fn add_shop(contents: &mut Contents, dialled: SocketAddr, application: SocketAddr) {
    let port = dialled.port();
    let endpoint = Endpoint {
        address: application.ip(),
        workload: Some(name("shop-0")),
        ports: vec![(port, application.port())],
        ready: true,
        weight: 1,
    };
    let shop = Service {
        vips: vec![dialled.ip()],
        ports: vec![ServicePort { name: String::new(), number: port, protocol: AppProtocol::Http }],
        endpoints: vec![endpoint],
        ..Service::new(name("shop"))
    };
    contents.services.insert(name("shop"), Arc::new(shop));
}

fn listener(address: SocketAddr) -> std::net::TcpListener {
    let listener = std::net::TcpListener::bind(address).unwrap();
    listener.set_nonblocking(true).unwrap();
    listener
}

pub(super) const DAY: Duration = Duration::from_hours(24);
