//! A mesh with one Service, an engine before it, and the means to look at what came of it.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
    time::{Instant, timeout},
};

use super::publish;
use crate::{
    identity::Identities,
    mesh::{
        binding::Binding,
        label::Labels,
        object::ObjectName,
        policy::AuthorizationPolicy,
        request::Origin,
        route::HttpRoute,
        service::{AppProtocol, Endpoint, Service, ServicePort},
        snapshot::{Contents, Snapshot},
        spiffe::SpiffeId,
        workload::{Enrolment, Workload},
    },
    proxy::{Doors, Engine, Origins, OwnNetwork, Settings, Surroundings, Telemetry},
    telemetry::{access::AccessLog, metrics::Registry, traces::Tracing},
};

pub(super) const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// How long anything may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// An engine before the Service `default/shop`.
pub(super) struct Lab {
    /// What clients dial.
    pub(super) address: SocketAddr,
    pub(super) engine: Engine,
    pub(super) registry: Registry,
    log: AccessLog,
    page: Page,
    contents: Contents,
    snapshots: watch::Sender<Arc<Snapshot>>,
}

impl Lab {
    /// An engine whose Service has these endpoints on a port that declares a protocol.
    pub(super) fn start(endpoints: &[SocketAddr], protocol: AppProtocol) -> Self {
        Self::start_with(endpoints, protocol, |_| {}, |_, _| {})
    }

    /// The same, with settings and contents changed.
    pub(super) fn start_with(
        endpoints: &[SocketAddr],
        protocol: AppProtocol,
        settings: impl FnOnce(&mut Settings),
        change: impl FnOnce(&mut Contents, u16),
    ) -> Self {
        let (address, mut contents, doors) = Self::prepare(endpoints, protocol);
        change(&mut contents, address.port());
        let mut wanted = Settings { drain_deadline: PATIENCE, ..Settings::default() };
        settings(&mut wanted);
        Self::launch(address, contents, wanted, doors, None)
    }

    /// The first, with spans of its requests.
    pub(super) fn start_traced(
        endpoints: &[SocketAddr],
        protocol: AppProtocol,
        tracing: &Tracing,
    ) -> Self {
        let (address, contents, doors) = Self::prepare(endpoints, protocol);
        let settings = Settings { drain_deadline: PATIENCE, ..Settings::default() };
        let network = (doors, None, of_web());
        Self::launch_told(address, contents, settings, network, tracing)
    }

    /// An engine that is told by these where connections come from, which it asks on the thread of
    /// its worker; with contents changed.
    pub(super) fn start_asking(
        endpoints: &[SocketAddr],
        protocol: AppProtocol,
        origins: Origins,
        change: impl FnOnce(&mut Contents),
    ) -> Self {
        let (address, mut contents, doors) = Self::prepare(endpoints, protocol);
        change(&mut contents);
        let settings = Settings { drain_deadline: PATIENCE, ..Settings::default() };
        let network = (doors, None, origins);
        Self::launch_told(address, contents, settings, network, &Tracing::default())
    }

    fn prepare(endpoints: &[SocketAddr], protocol: AppProtocol) -> (SocketAddr, Contents, Doors) {
        let listener = std::net::TcpListener::bind((LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let mut contents = Contents::default();
        add_workload(&mut contents, "web");
        add_service(&mut contents, "shop", (address.port(), protocol), endpoints);
        (address, contents, Doors { captured: vec![listener], ..Doors::default() })
    }

    /// An engine with doors of any kind, in any mesh.
    pub(super) fn launch(
        address: SocketAddr,
        contents: Contents,
        settings: Settings,
        doors: Doors,
        identities: Option<Identities>,
    ) -> Self {
        let network = (doors, identities, of_web());
        Self::launch_told(address, contents, settings, network, &Tracing::default())
    }

    fn launch_told(
        address: SocketAddr,
        contents: Contents,
        settings: Settings,
        (doors, identities, origins): (Doors, Option<Identities>, Origins),
        tracing: &Tracing,
    ) -> Self {
        let (snapshots, receiver) = watch::channel(Arc::new(Snapshot::new(contents.clone())));
        let registry = Registry::new();
        let page = Page::default();
        let log = AccessLog::start(page.clone(), &registry).unwrap();
        let telemetry = Telemetry {
            registry: registry.clone(),
            access_log: log.clone(),
            tracing: tracing.clone(),
        };
        let surroundings = Surroundings {
            snapshots: receiver,
            doors: vec![doors],
            origins,
            network: Arc::new(OwnNetwork::default()),
            identities,
            telemetry,
        };
        let engine = Engine::start(settings, surroundings).unwrap();
        Self { address, engine, registry, log, page, contents, snapshots }
    }

    /// Changes the mesh while the engine runs, and waits until it goes by the change.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut Contents)) {
        change(&mut self.contents);
        publish(&self.engine, &self.snapshots, &self.contents);
    }

    /// A connection to the Service.
    pub(super) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Opens a connection that is reset before it brings anything; the reset may win over the
    /// opening.
    pub(super) async fn connect_in_vain(&self) {
        if let Ok(mut stream) = TcpStream::connect(self.address).await {
            assert_eq!(read_to_end(&mut stream).await, "");
        }
    }

    /// Sends a request on a connection of its own, and returns everything that comes back.
    pub(super) async fn ask(&self, request: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        read_to_end(&mut stream).await
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

    /// Waits for a metric whose line has all of these parts, and returns its number.
    pub(super) async fn metric(&self, parts: &[&str]) -> f64 {
        let until = Instant::now() + PATIENCE;
        loop {
            let text = self.registry.encode();
            let found = text.lines().find(|line| parts.iter().all(|part| line.contains(part)));
            if let Some((_, number)) = found.and_then(|line| line.rsplit_once(' ')) {
                return number.parse().unwrap();
            }
            assert!(Instant::now() < until, "no {parts:?} in {text}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

/// All connections come from the pod `web`.
fn of_web() -> Origins {
    Arc::new(|_| Origin::Pod(ObjectName::new("default", "web")))
}

/// Adds a ready pod of `default`.
pub(super) fn add_workload(contents: &mut Contents, name: &str) {
    let name = ObjectName::new("default", name);
    let identity = SpiffeId::new("cluster.local", "default", &name.name);
    let workload = Workload {
        labels: Labels::from([("app".to_owned(), name.name.clone())]),
        identity: Arc::new(identity),
        enrolment: Enrolment::Enrolled,
        ..Workload::new(name.clone())
    };
    contents.workloads.insert(name, Arc::new(workload));
}

/// Adds a Service of `default` behind the waypoint, with a pod `<name>-<number>` at each endpoint.
/// Only the Service `shop` has a virtual address, which is the loopback address.
pub(super) fn add_service(
    contents: &mut Contents,
    name: &str,
    (port, protocol): (u16, AppProtocol),
    endpoints: &[SocketAddr],
) {
    let object = ObjectName::new("default", name);
    let mut all = Vec::new();
    for (number, endpoint) in endpoints.iter().enumerate() {
        let pod = format!("{name}-{number}");
        add_workload(contents, &pod);
        all.push(Endpoint {
            address: endpoint.ip(),
            workload: Some(ObjectName::new("default", pod)),
            ports: vec![(port, endpoint.port())],
            ready: true,
            weight: 1,
        });
    }
    let service = Service {
        vips: if name == "shop" { vec![LOCALHOST] } else { Vec::new() },
        ports: vec![ServicePort { name: String::new(), number: port, protocol }],
        endpoints: all,
        binding: Binding::Bound(ObjectName::new("default", "waypoint")),
        ..Service::new(object.clone())
    };
    contents.services.insert(object, Arc::new(service));
}

/// Adds a route.
pub(super) fn add_route(contents: &mut Contents, route: HttpRoute) {
    contents.routes.insert(route.name.clone(), Arc::new(route));
}

/// Adds a policy.
pub(super) fn add_policy(contents: &mut Contents, policy: AuthorizationPolicy) {
    let all: &mut BTreeMap<_, _> = &mut contents.policies;
    all.insert(policy.name.clone(), Arc::new(policy));
}

/// Reads until the other side ends; a reset ends as well.
pub(super) async fn read_to_end(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut all = Vec::new();
    // A reset after the answer shows in the answer, if it matters.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut all)).await.expect("no end of the answer");
    String::from_utf8_lossy(&all).into_owned()
}

/// Reads until the text ends so.
pub(super) async fn read_until(stream: &mut (impl AsyncRead + Unpin), end: &str) -> String {
    let mut all = Vec::new();
    while !all.ends_with(end.as_bytes()) {
        let byte = timeout(PATIENCE, stream.read_u8()).await;
        let seen = || String::from_utf8_lossy(&all).into_owned();
        let byte = byte.unwrap_or_else(|_| panic!("no {end:?} after {:?}", seen()));
        all.push(byte.unwrap_or_else(|cause| panic!("{cause} after {:?}", seen())));
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// A listening endpoint.
pub(super) struct Backend(pub(super) TcpListener);

/// An address that nobody listens at, and that nobody else gets while this is held.
pub(super) struct Nobody(TcpSocket);

impl Nobody {
    pub(super) fn bind() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((LOCALHOST, 0).into()).unwrap();
        Self(socket)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }
}

impl Backend {
    pub(super) async fn bind() -> Self {
        Self(TcpListener::bind((LOCALHOST, 0)).await.unwrap())
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    /// The next connection.
    pub(super) async fn accept(&self) -> TcpStream {
        timeout(PATIENCE, self.0.accept()).await.expect("nobody connects").unwrap().0
    }

    /// Answers each request with a text, in a task of its own, and sends back the request's head in
    /// the body; connections are kept.
    pub(super) fn echo(self, name: &'static str) {
        crate::telemetry::task::spawn("echo", async move {
            loop {
                let stream = self.0.accept().await.unwrap().0;
                crate::telemetry::task::spawn("echo connection", answer_all(stream, name));
            }
        });
    }
}

/// Answers each request with a name and the request's head.
pub(super) async fn answer_all(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    name: &'static str,
) {
    while let Some(head) = next_head(&mut stream).await {
        let body = format!("{name}\n{head}");
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        if stream.write_all((answer + &body).as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The next head on a connection, if there is one.
pub(super) async fn next_head(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut all = Vec::new();
    while !all.ends_with(b"\r\n\r\n") {
        all.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8(all).unwrap())
}

/// What was written to the access log.
#[derive(Clone, Default)]
pub(super) struct Page(Arc<Mutex<Vec<u8>>>);

impl Page {
    pub(super) fn lines(&self) -> Vec<Value> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
