//! A process that has too much to do, and who asks how it is.

use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    lab::{Backend, Lab, PATIENCE, read_to_end, read_until},
    traffic::{GET, named},
};
use crate::{
    mesh::service::AppProtocol,
    telemetry::{
        admin::{AdminAddress, Serving, serve_metrics, serve_status},
        readiness::{Gate, Readiness},
    },
};

/// The status and the metrics of a process, as it serves them.
struct Desk {
    status: Serving,
    metrics: Serving,
    _gate: Gate,
}

impl Desk {
    /// Of the process that an engine is of.
    fn open(lab: &Lab) -> Self {
        let local = AdminAddress::Tcp("127.0.0.1:0".parse().unwrap());
        let readiness = Readiness::new();
        let gate = readiness.gate("data path");
        gate.open();
        let (registry, stop) = (lab.registry.clone(), CancellationToken::new());
        let metrics = serve_metrics(&local, registry, stop.clone()).unwrap();
        let status = serve_status(&local, readiness, stop).unwrap();
        Self { status, metrics, _gate: gate }
    }

    /// Whether it says that the process is ready and alive.
    async fn assert_well(&self) {
        for path in ["/healthz/ready", "/healthz/live"] {
            let answer = get(&self.status, path).await;
            assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
        }
    }

    /// How often a limit was hit, as it tells it.
    async fn hits(&self, limit: &str) -> f64 {
        let page = get(&self.metrics, "/metrics").await;
        let name = format!("waypoint_limit_hits_total{{limit=\"{limit}\"}} ");
        let number = page.lines().find_map(|line| line.strip_prefix(&name));
        number.unwrap_or_default().parse().unwrap()
    }
}

/// A page.
async fn get(serving: &Serving, path: &str) -> String {
    let AdminAddress::Tcp(address) = &serving.address else { panic!("{}", serving.address) };
    let mut stream = timeout(PATIENCE, TcpStream::connect(address)).await.unwrap().unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    read_to_end(&mut stream).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_refuses_requests_for_their_number_says_that_it_is_well() {
    let backend = Backend::bind().await;
    let few = |settings: &mut crate::proxy::Settings| settings.requests_max = 1;
    let lab = Lab::start_with(&[backend.address()], AppProtocol::Http, few, |_, _| {});
    let desk = Desk::open(&lab);
    let mut first = lab.connect().await;
    first.write_all(GET.as_bytes()).await.unwrap();
    let mut upstream = backend.accept().await;
    read_until(&mut upstream, "\r\n\r\n").await;
    for round in 1..=20_u32 {
        let refused = lab.ask(GET).await;
        assert!(refused.contains("\r\nx-waypoint-overloaded: true\r\n"), "{refused}");
        desk.assert_well().await;
        let hits = desk.hits("requests").await;
        assert!((hits - f64::from(round)).abs() < f64::EPSILON, "{hits} after {round}");
    }
    // What was under way is answered all the same.
    upstream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await.unwrap();
    assert!(read_to_end(&mut first).await.ends_with("\r\n\r\nhi"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_refuses_requests_for_want_of_memory_says_that_it_is_well() {
    let little = |settings: &mut crate::proxy::Settings| settings.memory_max = Some(1);
    let lab = Lab::start_with(&named(["a"]).await, AppProtocol::Http, little, |_, _| {});
    let desk = Desk::open(&lab);
    let until = Instant::now() + PATIENCE;
    while !lab.ask(GET).await.contains("\r\nx-waypoint-overloaded: true\r\n") {
        assert!(Instant::now() < until, "memory is not looked at");
    }
    desk.assert_well().await;
    assert!(desk.hits("memory").await >= 1.0);
}
