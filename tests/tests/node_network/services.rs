//! Services' virtual addresses, from pods and from the host.

use std::{
    collections::HashSet,
    io::{self, ErrorKind, Read, Write},
    net::{IpAddr, SocketAddr, TcpListener},
    process::Command,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use tokio::{io::AsyncReadExt, net::TcpStream, sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;
use waypoint_user::{
    kernel::{Progress, service_vips},
    mesh::{
        object::ObjectName,
        service::{AppProtocol, Endpoint, Service, ServicePort},
        snapshot::{Contents, Snapshot},
    },
    telemetry::readiness::Readiness,
};

use crate::node::{Node, Pod, addresses};

#[test]
fn pods_and_the_host_reach_every_ready_endpoint_in_both_families() {
    let Some(node) = Node::new() else { return };
    let pods = [node.pod(1), node.pod(2), node.pod(3), node.pod(4)];
    let [client, servers @ ..] = &pods;
    for (server, number) in servers.iter().zip(2..) {
        serve(server, number);
    }
    // Number 4 is not ready.
    let endpoints = [(2, true), (3, true), (4, false)];
    let table = Table::new(&node, snapshot([service(1, &endpoints)]));
    for vip in vips(1) {
        let from_pod = client.run(async || answers(vip, 40).await);
        assert_eq!(from_pod, HashSet::from([2, 3]), "from a pod to {vip}");
        let from_host = table.node.run(async || answers(vip, 40).await);
        assert_eq!(from_host, HashSet::from([2, 3]), "from the host to {vip}");
    }
}

#[test]
fn addresses_that_cannot_be_published_are_not_ready_and_say_why() {
    let Some(node) = Node::new() else { return };
    let readiness = Readiness::new();
    let gate = readiness.gate("service addresses");
    let (_snapshots, receiver) = watch::channel(Arc::new(snapshot([service(1, &[])])));
    let shutdown = CancellationToken::new();
    let (namespace, token) = (node.name.clone(), shutdown.clone());
    let thread = thread::spawn(move || {
        crate::node::run_in(&namespace, || {
            let too_long = "t".repeat(300);
            service_vips::run(receiver, too_long, Progress::default(), gate, token)
        });
    });
    let deadline = Instant::now() + DEADLINE;
    let said = |reason: &str| readiness.closed().iter().any(|(_, why)| why.contains(reason));
    while !said("nft: ") {
        assert!(Instant::now() < deadline, "{:?}", readiness.closed());
        thread::yield_now();
    }
    shutdown.cancel();
    thread.join().unwrap();
    assert!(said("ended"), "a part that ended is not ready");
}

#[test]
fn a_service_without_ready_endpoints_refuses_at_once() {
    let Some(node) = Node::new() else { return };
    let client = node.pod(1);
    let table = Table::new(&node, snapshot([service(1, &[(2, false)])]));
    for vip in vips(1) {
        for name in [&client.name, &table.node.name] {
            let refused = crate::node::run_in(name, async || {
                timeout(Duration::from_millis(500), connect(vip)).await.unwrap().unwrap_err()
            });
            assert_eq!(refused.kind(), ErrorKind::ConnectionRefused, "{vip} from {name}");
        }
    }
}

#[test]
fn changed_endpoints_are_followed_and_open_connections_stay() {
    let Some(node) = Node::new() else { return };
    let (client, one, two) = (node.pod(1), node.pod(2), node.pod(3));
    serve(&one, 2);
    serve(&two, 3);
    let table = Table::new(&node, snapshot([service(1, &[(2, true)])]));
    let vip = vips(1)[0];
    client.run(async || {
        let mut open = connect(vip).await.unwrap();
        assert_eq!(open.read_u8().await.unwrap(), 2);
        for endpoints in [&[(3, true)][..], &[], &[(2, true)]] {
            table.publish(snapshot([service(1, endpoints)]));
            let wanted = endpoints.first().map(|(number, _)| *number);
            timeout(DEADLINE, until_answered(vip, wanted)).await.unwrap();
        }
        open.try_write(b"?").unwrap();
        assert_eq!(timeout(DEADLINE, open.read_u8()).await.unwrap().unwrap(), b'?');
    });
}

#[test]
fn a_pod_reaches_itself_by_its_service() {
    let Some(node) = Node::new() else { return };
    let pod = node.pod(1);
    serve(&pod, 1);
    let _table = Table::new(&node, snapshot([service(1, &[(1, true)])]));
    for vip in vips(1) {
        let answer = pod.run(async || timeout(DEADLINE, answer(vip)).await);
        assert_eq!(answer.unwrap().unwrap(), 1, "{vip}");
    }
}

#[test]
fn a_bridged_pod_reaches_its_neighbour_by_a_service() {
    let Some(node) = Node::new() else { return };
    let (client, server) = (node.bridged_pod(1), node.bridged_pod(2));
    serve(&server, 2);
    let mut bridged = service(1, &[(2, true)]);
    bridged.endpoints[0].address = IpAddr::from([10, 78, 0, 2]);
    let _table = Table::new(&node, snapshot([bridged]));
    let answer = client.run(async || timeout(DEADLINE, answer(vips(1)[0])).await);
    assert_eq!(answer.unwrap().unwrap(), 2);
}

#[test]
fn changes_step_by_step_end_where_one_big_change_ends() {
    let Some(node) = Node::new() else { return };
    let stages = [
        vec![],
        vec![service(1, &[(2, true)]), service(2, &[])],
        vec![service(1, &[(2, true), (3, true)]), service(2, &[(3, true)])],
        vec![service(2, &[(3, true)]), service(3, &[(4, true)])],
        vec![service(1, &[]), service(3, &[(4, false)]), service(4, &[(5, true)])],
    ];
    let stepwise = Table::new(&node, snapshot([]));
    for stage in stages {
        stepwise.publish(snapshot(stage.clone()));
        let other = Node::new().unwrap();
        let at_once = Table::new(&other, snapshot(stage));
        let wanted = at_once.listing();
        let deadline = Instant::now() + DEADLINE;
        while stepwise.listing() != wanted {
            let listing = stepwise.listing();
            assert!(Instant::now() < deadline, "{listing:#?}\nis not\n{wanted:#?}");
            thread::yield_now();
        }
    }
}

#[test]
fn a_table_that_somebody_else_broke_is_written_again() {
    let Some(node) = Node::new() else { return };
    let table = Table::new(&node, snapshot([service(1, &[(2, true)])]));
    table.nft("flush ruleset");
    table.publish(snapshot([service(1, &[(3, true)])]));
    table.wait_until(|listing| listing.iter().any(|line| line.contains("10.77.0.3")));
}

#[test]
fn removing_takes_the_own_table_and_no_other() {
    let Some(node) = Node::new() else { return };
    let table = Table::new(&node, snapshot([service(1, &[(2, true)])]));
    table.nft("add table inet other");
    let name = table.name;
    table.stop();
    let removed = || node.run(async || service_vips::remove(name).unwrap());
    assert_eq!((removed(), removed()), (true, false));
    let left = node.run(async || nft("list tables"));
    assert_eq!(left.trim(), "table inet other");
}

#[test]
fn one_change_among_a_thousand_services_is_published_within_100_ms() {
    let Some(node) = Node::new() else { return };
    let (client, one, two) = (node.pod(1), node.pod(2), node.pod(3));
    serve(&one, 2);
    serve(&two, 3);
    let many = |last: u8| {
        let endpoints = |number| [(if number == 1000 { last } else { 2 }, true)];
        snapshot((1..=1000).map(|number| service(number, &endpoints(number))))
    };
    let table = Table::new(&node, many(2));
    let publish = async |last| {
        let snapshot = many(last);
        let started = Instant::now();
        table.publish(snapshot);
        let answered = until_answered(vips(1000)[0], Some(last));
        timeout(DEADLINE, answered).await.unwrap();
        started.elapsed()
    };
    let mut took = Vec::new();
    for last in [3, 2, 3, 2, 3, 2, 3] {
        took.push(client.run(async || publish(last).await));
    }
    // The fastest, as other tests use the processor at the same time.
    assert!(took.iter().min().unwrap() < &Duration::from_millis(100), "{took:?}");
    println!("one change among a thousand Services: {took:?}");
}

/// A table that is kept up to date until this is dropped.
struct Table<'n> {
    node: &'n Node,
    name: &'static str,
    snapshots: watch::Sender<Arc<Snapshot>>,
    shutdown: CancellationToken,
    thread: Option<thread::JoinHandle<()>>,
}

impl<'n> Table<'n> {
    fn new(node: &'n Node, snapshot: Snapshot) -> Self {
        // The host has an address of its own, and a way to addresses that are nowhere.
        node.ip("addr replace 10.77.0.254/32 dev lo");
        node.ip("addr replace fd77::254/128 dev lo nodad");
        node.ip("route replace default dev lo src 10.77.0.254");
        node.ip("-6 route replace default dev lo src fd77::254");
        let (snapshots, receiver) = watch::channel(Arc::new(snapshot));
        let shutdown = CancellationToken::new();
        let readiness = Readiness::new();
        let gate = readiness.gate("service addresses");
        let (name, namespace, token) = ("wptest", node.name.clone(), shutdown.clone());
        let work = move || {
            let (name, progress) = (name.to_owned(), Progress::default());
            crate::node::run_in(&namespace, || {
                service_vips::run(receiver, name, progress, gate, token)
            });
        };
        let thread = Some(thread::spawn(work));
        let table = Self { node, name, snapshots, shutdown, thread };
        table.wait_until(|listing| !listing.is_empty());
        let deadline = Instant::now() + DEADLINE;
        while !readiness.is_ready() {
            assert!(Instant::now() < deadline, "{:?}", readiness.closed());
            thread::yield_now();
        }
        table
    }

    fn publish(&self, snapshot: Snapshot) {
        self.snapshots.send(Arc::new(snapshot)).unwrap();
    }

    fn nft(&self, arguments: &str) -> String {
        self.node.run(async || nft(arguments))
    }

    fn listing(&self) -> Vec<String> {
        // Elements and chains have no order.
        let bare = |line: &str| {
            let line = line.trim().trim_start_matches("elements = {");
            line.trim_end_matches([',', '}', ' ']).trim().to_owned()
        };
        let mut lines: Vec<_> = self.nft("list ruleset").lines().map(bare).collect();
        lines.sort();
        lines
    }

    fn wait_until(&self, condition: impl Fn(&[String]) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !condition(&self.listing()) {
            assert!(Instant::now() < deadline, "{:#?}", self.listing());
            thread::yield_now();
        }
    }

    fn stop(mut self) {
        self.join();
    }

    fn join(&mut self) {
        self.shutdown.cancel();
        if let Some(thread) = self.thread.take() {
            let outcome = thread.join();
            assert!(thread::panicking() || outcome.is_ok());
        }
    }
}

impl Drop for Table<'_> {
    fn drop(&mut self) {
        self.join();
    }
}

fn nft(arguments: &str) -> String {
    let output = Command::new("nft").args(arguments.split(' ')).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Says its number, then echoes; as long as the test runs.
fn serve(pod: &Pod, number: u8) {
    let listener = pod.run(async || TcpListener::bind("[::]:8080").unwrap());
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            thread::spawn(move || -> io::Result<()> {
                stream.write_all(&[number])?;
                let mut byte = [0];
                while stream.read(&mut byte)? == 1 {
                    stream.write_all(&byte)?;
                }
                Ok(())
            });
        }
    });
}

async fn answers(vip: SocketAddr, attempts: usize) -> HashSet<u8> {
    let mut answers = HashSet::new();
    for _ in 0..attempts {
        answers.insert(timeout(DEADLINE, answer(vip)).await.unwrap().unwrap());
    }
    answers
}

async fn answer(vip: SocketAddr) -> io::Result<u8> {
    connect(vip).await?.read_u8().await
}

/// Asks until the answer is the wanted one, or until there is none.
async fn until_answered(vip: SocketAddr, wanted: Option<u8>) {
    while answer(vip).await.ok() != wanted {
        tokio::task::yield_now().await;
    }
}

async fn connect(vip: SocketAddr) -> io::Result<TcpStream> {
    TcpStream::connect(vip).await
}

fn vips(number: u16) -> [SocketAddr; 2] {
    let [high, low] = number.to_be_bytes();
    let v6 = [0xfd96, 0, 0, 0, 0, 0, 0, number];
    [SocketAddr::from(([10, 96, high, low], 80)), SocketAddr::from((v6, 80))]
}

/// With endpoints by the number of their pod, and whether they are ready.
fn service(number: u16, endpoints: &[(u8, bool)]) -> Service {
    let protocol = AppProtocol::Detect;
    let endpoint = |address, ready| Endpoint {
        address,
        workload: None,
        ports: vec![(80, 8080)],
        ready,
        weight: 1,
    };
    Service {
        vips: vips(number).map(|vip| vip.ip()).to_vec(),
        ports: vec![ServicePort { name: String::new(), number: 80, protocol }],
        endpoints: endpoints
            .iter()
            .flat_map(|(pod, ready)| addresses(*pod).map(|address| endpoint(address, *ready)))
            .collect(),
        ..Service::new(ObjectName::new("shop", format!("s{number}")))
    }
}

fn snapshot(services: impl IntoIterator<Item = Service>) -> Snapshot {
    let named = |service: Service| (service.name.clone(), Arc::new(service));
    let services = services.into_iter().map(named).collect();
    Snapshot::new(Contents { services, ..Contents::default() })
}

const DEADLINE: Duration = Duration::from_secs(5);
