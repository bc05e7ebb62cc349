//! Peers of a waypoint that speak HBONE: clients, and pods that answer it; all have certificates of
//! one authority.

use std::{
    future::Future,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::{linux::net::SocketAddrExt, unix::net::UnixListener},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    runtime::{Builder, LocalOptions},
    sync::mpsc,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::lab::{LOCALHOST, Lab, PATIENCE, add_service, add_workload, answer_all, read_to_end};
use crate::{
    hbone::{self, Connect, Incoming, Io, Key},
    identity::{
        self, Credentials, Identities, Issued, Issuer, Refusal, SigningRequest, ca::Authority,
    },
    mesh::{
        label::Labels,
        object::ObjectName,
        service::AppProtocol,
        snapshot::Contents,
        spiffe::SpiffeId,
        workload::{Transport, Workload},
    },
    proxy::{Doors, Duty, Settings},
    telemetry::{metrics::Registry, task},
};

/// What clients ask the waypoint for: the Service `default/shop`.
pub(super) const VIP: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 96, 0, 1)), 80);

/// Runs a test on a runtime that takes tasks which stay on their thread.
pub(super) fn run(test: impl Future<Output = ()>) {
    let options = LocalOptions::default();
    let runtime = Builder::new_current_thread().enable_all().build_local(options).unwrap();
    runtime.block_on(test);
}

/// The identity of an account of `default`.
pub(super) fn account(name: &str) -> Arc<SpiffeId> {
    Arc::new(SpiffeId::new("cluster.local", "default", name))
}

/// An authority, which signs whatever it is asked for.
#[derive(Clone)]
pub(super) struct Mesh(Arc<Authority>);

impl Mesh {
    pub(super) fn new() -> Self {
        Self(Arc::new(Authority::ephemeral("cluster.local").unwrap()))
    }

    pub(super) fn credentials(&self, identity: &Arc<SpiffeId>) -> Arc<Credentials> {
        Arc::new(self.0.credentials(identity, Duration::from_hours(1)).unwrap())
    }

    fn identities(&self) -> Identities {
        let settings = identity::Settings::default();
        let shutdown = CancellationToken::new();
        Identities::start(settings, self.clone(), &Registry::new(), shutdown)
    }

    /// The waypoint `default/waypoint` before `default/shop`, with what a test changes.
    pub(super) fn waypoint(
        &self,
        endpoints: &[SocketAddr],
        protocol: AppProtocol,
        change: impl FnOnce(&mut Contents),
    ) -> Site {
        self.waypoint_with(|_| {}, endpoints, protocol, change)
    }

    /// The same, with settings changed.
    pub(super) fn waypoint_with(
        &self,
        set: impl FnOnce(&mut Settings),
        endpoints: &[SocketAddr],
        protocol: AppProtocol,
        change: impl FnOnce(&mut Contents),
    ) -> Site {
        let (door, address) = listener();
        let (proxied, headed) = listener();
        let (service, plain) = listener();
        let name = format!("waypoint/test/{address}").into_bytes();
        let local = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
        let local = UnixListener::bind_addr(&local).unwrap();
        local.set_nonblocking(true).unwrap();
        let mut contents = Contents::default();
        add_workload(&mut contents, "web");
        place(&mut contents, "web", LOCALHOST);
        add_service(&mut contents, "shop", (VIP.port(), protocol), endpoints);
        let shop = contents.services.get_mut(&ObjectName::new("default", "shop")).unwrap();
        Arc::make_mut(shop).vips = vec![VIP.ip()];
        change(&mut contents);
        let mut settings = Settings {
            drain_deadline: PATIENCE,
            duty: Duty::Waypoint(ObjectName::new("default", "waypoint")),
            identity: Some(account("waypoint")),
            ..Settings::default()
        };
        set(&mut settings);
        let doors = Doors {
            hbone: vec![door],
            proxied: vec![proxied],
            services: vec![service],
            local: vec![local],
            ..Doors::default()
        };
        let lab = Lab::launch(VIP, contents, settings, doors, Some(self.identities()));
        Site { lab, door: address, headed, plain, local: name }
    }
}

/// It signs for whoever asks.
impl Issuer for Mesh {
    fn issue(&self, request: SigningRequest) -> BoxFuture<'_, Result<Issued, Refusal>> {
        self.0.issue(request)
    }
}

/// A waypoint that runs.
pub(super) struct Site {
    pub(super) lab: Lab,
    /// Where it takes HBONE.
    pub(super) door: SocketAddr,
    /// Where it takes TCP with PROXY headers.
    pub(super) headed: SocketAddr,
    /// Where it takes plain TCP, if a Service has that address.
    pub(super) plain: SocketAddr,
    /// The abstract address where it takes the agent.
    pub(super) local: Vec<u8>,
}

fn listener() -> (std::net::TcpListener, SocketAddr) {
    let listener = std::net::TcpListener::bind((LOCALHOST, 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Gives a pod of `default` an address.
pub(super) fn place(contents: &mut Contents, pod: &str, address: IpAddr) {
    let pod = contents.workloads.get_mut(&ObjectName::new("default", pod)).unwrap();
    Arc::make_mut(pod).addresses = vec![address];
}

/// A client of a waypoint.
pub(super) struct Client {
    pool: hbone::Pool,
    credentials: Arc<Credentials>,
    key: Key,
}

impl Client {
    /// The pod `web`, which knows the waypoint.
    pub(super) fn web(mesh: &Mesh, site: &Site) -> Self {
        Self::new(mesh, "web", site.door, "waypoint")
    }

    /// An account that wants to speak with another.
    pub(super) fn new(mesh: &Mesh, name: &str, to: SocketAddr, expected: &str) -> Self {
        let source = account(name);
        let key = Key {
            source: Arc::clone(&source),
            expected: vec![account(expected)],
            from: None,
            to,
            workload: "waypoint".into(),
        };
        let pool = hbone::Pool::new(hbone::Settings::default());
        Self { pool, credentials: mesh.credentials(&source), key }
    }

    /// Opens a stream.
    pub(super) async fn open(&self, connect: Connect) -> Result<hbone::Stream, hbone::Error> {
        let (key, credentials) = (self.key.clone(), Arc::clone(&self.credentials));
        let dial = async move {
            let stream = TcpStream::connect(key.to).await;
            let stream = stream.map_err(|cause| hbone::Error::Connect(cause.to_string()))?;
            let (stream, _) = hbone::tls::connect(stream, &credentials, &key.expected).await?;
            Ok(Box::new(stream) as Box<dyn Io>)
        };
        timeout(PATIENCE, self.pool.open(&self.key, &connect, dial)).await.expect("no stream")
    }

    /// A stream to the Service.
    pub(super) async fn to_shop(&self) -> hbone::Stream {
        self.open(Connect::to_address(VIP)).await.unwrap()
    }

    /// Sends a request on a stream of its own, and returns everything that comes back.
    pub(super) async fn ask(&self, request: &str) -> String {
        let mut stream = self.to_shop().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        read_to_end(&mut stream).await
    }
}

/// A pod that takes HBONE.
pub(super) struct Pod {
    /// Where its application is.
    pub(super) address: SocketAddr,
    asked: mpsc::UnboundedReceiver<Asked>,
}

/// A stream that somebody asked a pod for.
pub(super) struct Asked {
    pub(super) peer: Arc<SpiffeId>,
    pub(super) incoming: Incoming,
}

impl Pod {
    /// A pod that proves an identity, at an address that no other has.
    pub(super) async fn start(mesh: &Mesh, identity: &str) -> Self {
        let ip = own_address();
        let listener = TcpListener::bind((ip, hbone::PORT)).await.unwrap();
        let credentials = mesh.credentials(&account(identity));
        let (sender, asked) = mpsc::unbounded_channel();
        task::spawn_local("pod", async move {
            loop {
                let stream = listener.accept().await.unwrap().0;
                let serving = serve(stream, Arc::clone(&credentials), sender.clone());
                task::spawn_local("pod connection", serving);
            }
        });
        Self { address: SocketAddr::new(ip, 8080), asked }
    }

    /// The next stream.
    pub(super) async fn next(&mut self) -> Asked {
        timeout(PATIENCE, self.asked.recv()).await.expect("nobody asks").unwrap()
    }

    /// Grants the next stream.
    pub(super) async fn accept(&mut self) -> hbone::Stream {
        self.next().await.incoming.accept().unwrap()
    }

    /// Whether nobody asked for anything so far.
    pub(super) fn is_alone(&mut self) -> bool {
        self.asked.try_recv().is_err()
    }

    /// Answers each request as a named pod, and tells nobody.
    pub(super) fn echo(mut self, name: &'static str) {
        task::spawn_local("pod echo", async move {
            while let Some(asked) = self.asked.recv().await {
                let stream = asked.incoming.accept().unwrap();
                task::spawn_local("pod answers", answer_all(stream, name));
            }
        });
    }
}

/// Serves one connection to a pod.
async fn serve(
    stream: TcpStream,
    credentials: Arc<Credentials>,
    asked: mpsc::UnboundedSender<Asked>,
) {
    // Whoever does not believe the pod ends here.
    let Ok((stream, peer)) = hbone::tls::accept(stream, &credentials).await else { return };
    let each = |incoming| {
        let _ = asked.send(Asked { peer: Arc::clone(&peer.identity), incoming });
    };
    let _ = hbone::serve(stream, &hbone::Settings::default(), CancellationToken::new(), each).await;
}

/// Makes the endpoints of `shop` pods that speak HBONE as accounts.
pub(super) fn enrol(contents: &mut Contents, pods: &[(&Pod, &str)]) {
    for (number, (pod, identity)) in pods.iter().enumerate() {
        let name = ObjectName::new("default", format!("shop-{number}"));
        let workload = Workload {
            labels: Labels::from([("app".to_owned(), "shop".to_owned())]),
            identity: account(identity),
            addresses: vec![pod.address.ip()],
            transport: Transport::Hbone,
            ..Workload::new(name.clone())
        };
        contents.workloads.insert(name, Arc::new(workload));
    }
}

/// An address of this host that no other test has.
fn own_address() -> IpAddr {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let net = 64 + std::process::id() % 128;
    let part = |shift: u32| u8::try_from(number >> shift & 0xff).unwrap();
    Ipv4Addr::new(127, u8::try_from(net).unwrap(), part(8), part(0)).into()
}
