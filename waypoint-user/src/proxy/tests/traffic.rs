//! TrafficPolicies before the Service: balancing, limits, tries and faults, over real sockets.

mod faults;
mod panic;
mod rates;
mod retries;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::Instant,
};

use super::lab::{Backend, Lab, read_to_end, read_until};
use crate::{
    mesh::{
        object::ObjectName,
        service::AppProtocol,
        snapshot::Contents,
        traffic_policy::{
            Abort, AbortStatus, Algorithm, Backoff, Budget, CircuitBreaker, Delay, HashKey,
            OutlierDetection, Percentage, RateLimit, RateLimitKey, Retry, RetryOn, TrafficPolicy,
            TrafficTarget,
        },
    },
    telemetry::task,
};

pub(super) const GET: &str = "GET / HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n";

/// Attaches a policy to the Service.
pub(super) fn govern(contents: &mut Contents, rules: impl FnOnce(&mut TrafficPolicy)) {
    let (name, service) = (ObjectName::new("default", "p"), ObjectName::new("default", "shop"));
    let targets = vec![TrafficTarget::Service(service)];
    let mut policy = TrafficPolicy { name: name.clone(), targets, ..TrafficPolicy::default() };
    rules(&mut policy);
    contents.traffic_policies.insert(name, Arc::new(policy));
}

/// An engine whose Service has these endpoints, and a policy.
pub(super) fn lab(endpoints: &[SocketAddr], rules: impl FnOnce(&mut TrafficPolicy)) -> Lab {
    Lab::start_with(endpoints, AppProtocol::Http, |_| {}, |contents, _| govern(contents, rules))
}

/// Backends that answer with their names.
pub(super) async fn named<const N: usize>(names: [&'static str; N]) -> Vec<SocketAddr> {
    let mut addresses = Vec::new();
    for name in names {
        let backend = Backend::bind().await;
        addresses.push(backend.address());
        backend.echo(name);
    }
    addresses
}

/// A backend that answers with statuses, one after the other and then over again; and how often it
/// was asked.
pub(super) async fn scripted(statuses: &'static [u16]) -> (SocketAddr, Arc<AtomicUsize>) {
    let (backend, asked) = (Backend::bind().await, Arc::new(AtomicUsize::new(0)));
    let (address, counts) = (backend.address(), Arc::clone(&asked));
    task::spawn("scripted", async move {
        loop {
            let (stream, counts) = (backend.accept().await, Arc::clone(&counts));
            task::spawn("scripted connection", follow_script(stream, statuses, counts));
        }
    });
    (address, asked)
}

/// Answers each request of a connection with the next status.
async fn follow_script(mut stream: TcpStream, statuses: &'static [u16], counts: Arc<AtomicUsize>) {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let Ok(byte) = stream.read_u8().await else { return };
            head.push(byte);
        }
        let number = counts.fetch_add(1, Ordering::SeqCst);
        let status = statuses[number % statuses.len()];
        let answer = format!("HTTP/1.1 {status} S\r\ncontent-length: 0\r\n\r\n");
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Who answered a request.
pub(super) fn who(answer: &str) -> &str {
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    body.lines().next().unwrap_or_default()
}

fn all() -> Percentage {
    Percentage::of_hundred(100.0).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn turns_are_taken_and_go_on_when_the_mesh_changes() {
    let backends = named(["a", "b", "c"]).await;
    let mut lab = lab(&backends, |policy| {
        policy.endpoints.load_balancing.algorithm = Algorithm::RoundRobin;
    });
    for round in 0..4 {
        let mut seen = Vec::new();
        for _ in 0..3 {
            seen.push(who(&lab.ask(GET).await).to_owned());
        }
        assert_eq!(seen, ["a", "b", "c"], "round {round}");
        let name = ObjectName::new("default", format!("other-{round}"));
        lab.change(|contents| drop(contents.namespaces.insert(name.name, <_>::default())));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_with_the_same_key_go_to_the_same_endpoint() {
    for maglev in [false, true] {
        let backends = named(["a", "b", "c", "d"]).await;
        let keys = vec![HashKey::Header("x-user".to_owned())];
        let algorithm = if maglev { Algorithm::Maglev(keys) } else { Algorithm::RingHash(keys) };
        let lab = lab(&backends, |policy| policy.endpoints.load_balancing.algorithm = algorithm);
        let mut places = Vec::new();
        for user in 0..24 {
            let field = format!("x-user: u{user}\r\nconnection");
            let request = GET.replace("connection", &field);
            let first = who(&lab.ask(&request).await).to_owned();
            for _ in 0..3 {
                assert_eq!(who(&lab.ask(&request).await), first);
            }
            places.push(first);
        }
        places.sort();
        places.dedup();
        assert!(places.len() > 2, "{places:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_fails_is_left_out_and_comes_back() {
    let (bad, asked) = scripted(&[500, 500, 500, 200]).await;
    let good = named(["good"]).await[0];
    let lab = lab(&[bad, good], |policy| {
        policy.endpoints.load_balancing.algorithm = Algorithm::RoundRobin;
        policy.endpoints.outlier_detection = Some(OutlierDetection {
            consecutive_5xx: 3,
            consecutive_gateway_errors: 0,
            success_rate: None,
            interval: Duration::from_secs(10),
            base_ejection_time: Duration::from_secs(1),
            max_ejection_time: Duration::from_secs(1),
            max_ejection_percent: 50,
        });
    });
    for _ in 0..6 {
        lab.ask(GET).await;
    }
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    let ejected = Instant::now();
    for _ in 0..10 {
        assert_eq!(who(&lab.ask(GET).await), "good");
    }
    let patience = Instant::now() + super::lab::PATIENCE;
    while asked.load(Ordering::SeqCst) == 3 {
        assert!(Instant::now() < patience, "it never comes back");
        lab.ask(GET).await;
    }
    assert!(ejected.elapsed() > Duration::from_millis(500), "{:?}", ejected.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_circuit_breaker_refuses_what_is_too_much() {
    let backend = Backend::bind().await;
    let lab = lab(&[backend.address()], |policy| {
        let most = CircuitBreaker { requests: Some(1), ..CircuitBreaker::default() };
        policy.endpoints.circuit_breaker = most;
    });
    let mut first = lab.connect().await;
    first.write_all(GET.as_bytes()).await.unwrap();
    let mut upstream = backend.accept().await;
    read_until(&mut upstream, "\r\n\r\n").await;
    let refused = lab.ask(GET).await;
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    assert!(refused.contains("\r\nx-envoy-overloaded: true\r\n"), "{refused}");
    assert_eq!(lab.line(1).await["response_flags"], "UO");
    upstream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await.unwrap();
    assert!(read_to_end(&mut first).await.ends_with("\r\n\r\nhi"));
    backend.echo("again");
    task::spawn("answer", super::lab::answer_all(upstream, "again"));
    lab.line(2).await;
    assert_eq!(who(&lab.ask(GET).await), "again");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_wait_for_one_of_few_connections() {
    let backend = Backend::bind().await;
    let lab = lab(&[backend.address()], |policy| {
        policy.endpoints.circuit_breaker =
            CircuitBreaker { connections: Some(1), pending: Some(1), ..CircuitBreaker::default() };
    });
    let mut first = lab.connect().await;
    first.write_all(GET.as_bytes()).await.unwrap();
    let mut upstream = backend.accept().await;
    read_until(&mut upstream, "\r\n\r\n").await;
    // One request may wait, and no other. Which of the two comes first is not known.
    let (mut one, mut other) = (lab.connect().await, lab.connect().await);
    one.write_all(GET.as_bytes()).await.unwrap();
    other.write_all(GET.as_bytes()).await.unwrap();
    assert_eq!(lab.line(1).await["response_flags"], "UO");
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";
    upstream.write_all(answer).await.unwrap();
    read_until(&mut upstream, "\r\n\r\n").await;
    upstream.write_all(answer).await.unwrap();
    assert!(read_to_end(&mut first).await.ends_with("\r\n\r\nhi"));
    let mut answers = [read_to_end(&mut one).await, read_to_end(&mut other).await];
    answers.sort();
    assert!(answers[0].starts_with("HTTP/1.1 200 "), "{answers:?}");
    assert!(answers[1].starts_with("HTTP/1.1 503 "), "{answers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_are_made_up_as_asked_for() {
    let backends = named(["a"]).await;
    let mut lab = lab(&backends, |policy| {
        let (status, share) = (AbortStatus::Http(418), all());
        policy.requests.fault.abort = Some(Abort { status, share });
    });
    let answer = lab.ask(GET).await;
    assert!(answer.starts_with("HTTP/1.1 418 "), "{answer}");
    assert!(answer.ends_with("\r\n\r\nfault filter abort"), "{answer}");
    assert_eq!(lab.line(1).await["response_flags"], "FI");
    lab.change(|contents| {
        govern(contents, |policy| {
            let fixed = Duration::from_millis(50);
            policy.requests.fault.delay = Some(Delay { fixed, share: all() });
        });
    });
    let began = Instant::now();
    assert_eq!(who(&lab.ask(GET).await), "a");
    assert!(began.elapsed() >= Duration::from_millis(50));
    assert_eq!(lab.line(2).await["response_flags"], "DI");
    lab.change(|contents| {
        govern(contents, |policy| {
            let (status, share) = (AbortStatus::Grpc(14), all());
            policy.requests.fault.abort = Some(Abort { status, share });
        });
    });
    let answer = lab.ask(GET).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("\r\ngrpc-status: 14\r\n"), "{answer}");
}

pub(super) fn retry(on: &[RetryOn], attempts: u8) -> Retry {
    let base = Duration::from_millis(1);
    let backoff = Backoff { base, max: base };
    Retry { on: on.to_vec(), attempts, backoff, ..Retry::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_sent_again_on_the_conditions_of_the_policy() {
    let cases: [(&'static [u16], Retry, u16, usize); 6] = [
        (&[503, 200], retry(&[RetryOn::ServerError], 2), 200, 2),
        (&[503, 200], retry(&[RetryOn::GatewayError], 2), 200, 2),
        (&[500, 200], retry(&[RetryOn::GatewayError], 2), 500, 1),
        (&[409, 200], retry(&[RetryOn::Conflict], 2), 200, 2),
        (&[429, 200], Retry { codes: vec![429], ..retry(&[RetryOn::Reset], 2) }, 200, 2),
        (&[503, 503, 503, 200], retry(&[RetryOn::ServerError], 2), 503, 3),
    ];
    for (statuses, retry, wanted, times) in cases {
        let (backend, asked) = scripted(statuses).await;
        let case = format!("{statuses:?} {retry:?}");
        let lab = lab(&[backend], |policy| policy.requests.retry = Some(retry));
        let answer = lab.ask(GET).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {wanted} ")), "{case}: {answer}");
        assert_eq!(asked.load(Ordering::SeqCst), times, "{case}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_ends_retries() {
    let (backend, asked) = scripted(&[503]).await;
    let budget = Budget { percent: 50, min_retries_per_second: 0 };
    let lab = lab(&[backend], |policy| {
        let retry = retry(&[RetryOn::ServerError], 1);
        policy.requests.retry = Some(Retry { budget: Some(budget), ..retry });
    });
    for _ in 0..20 {
        lab.ask(GET).await;
    }
    assert_eq!(asked.load(Ordering::SeqCst), 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_on_which_nothing_moves_is_ended() {
    let backend = Backend::bind().await;
    let lab = lab(&[backend.address()], |policy| {
        policy.requests.timeouts.stream_idle = Some(Duration::from_millis(50));
    });
    let answer = lab.ask(GET).await;
    assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
    assert_eq!(lab.line(1).await["response_flags"], "SI");
    // One that has begun is cut off.
    let asking = lab.ask(GET);
    let answering = async {
        drop(backend.accept().await);
        let mut upstream = backend.accept().await;
        read_until(&mut upstream, "\r\n\r\n").await;
        let begun = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbegun";
        upstream.write_all(begun).await.unwrap();
        upstream
    };
    let (answer, _upstream) = tokio::join!(asking, answering);
    assert!(answer.ends_with("\r\n\r\nbegun"), "{answer}");
    assert_eq!(lab.line(2).await["response_flags"], "SI");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_with_too_much_to_do_refuses_requests() {
    let backend = Backend::bind().await;
    let few = |settings: &mut crate::proxy::Settings| settings.requests_max = 1;
    let lab = Lab::start_with(&[backend.address()], AppProtocol::Http, few, |_, _| {});
    let mut first = lab.connect().await;
    first.write_all(GET.as_bytes()).await.unwrap();
    let mut upstream = backend.accept().await;
    read_until(&mut upstream, "\r\n\r\n").await;
    let refused = lab.ask(GET).await;
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    assert!(refused.contains("\r\nx-waypoint-overloaded: true\r\n"), "{refused}");
    assert_eq!(lab.line(1).await["response_flags"], "OM");
    let hits = lab.metric(&["waypoint_limit_hits_total{limit=\"requests\"}"]).await;
    assert!((hits - 1.0).abs() < f64::EPSILON, "{hits}");

    let little = |settings: &mut crate::proxy::Settings| settings.memory_max = Some(1);
    let backends = named(["a"]).await;
    let lab = Lab::start_with(&backends, AppProtocol::Http, little, |_, _| {});
    let until = Instant::now() + super::lab::PATIENCE;
    while !lab.ask(GET).await.contains("x-waypoint-overloaded") {
        assert!(Instant::now() < until, "memory is not looked at");
    }
}
