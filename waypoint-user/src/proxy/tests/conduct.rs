//! How requests are brought to backends: timeouts, tries, sessions and mirrors.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::Instant,
};

use super::lab::{Backend, Lab, PATIENCE, add_route, add_service, read_until};
use crate::mesh::{
    object::{ObjectName, Version},
    route::{
        BackendTarget, Carrier, Conduct, HttpBackend, HttpFilter, HttpRoute, HttpRule, Mirror,
        Persistence, Retry, RouteKind, ServiceParent, Timeouts,
    },
    service::AppProtocol,
    snapshot::Contents,
};

pub(super) fn service(name: &str) -> ObjectName {
    ObjectName::new("default", name)
}

/// An engine whose requests all go to the Service `v1` with these endpoints; `copy` is another.
pub(super) fn lab(endpoints: &[&Backend], copy: Option<&Backend>, rule: HttpRule) -> Lab {
    let addresses: Vec<_> = endpoints.iter().map(|backend| backend.address()).collect();
    let copy: Vec<_> = copy.iter().map(|backend| backend.address()).collect();
    let to = BackendTarget::Service(service("v1"), 80);
    let backend = HttpBackend { weight: 1, target: to, filters: Vec::new() };
    let route = HttpRoute {
        kind: RouteKind::Http,
        name: service("shop"),
        version: Version::default(),
        created: None,
        parents: vec![ServiceParent::new(service("shop"), None)],
        hostnames: Vec::new(),
        rules: vec![HttpRule { backends: vec![backend], ..rule }],
    };
    let change = move |contents: &mut Contents, _| {
        add_service(contents, "v1", (80, AppProtocol::Http), &addresses);
        add_service(contents, "copy", (80, AppProtocol::Http), &copy);
        add_route(contents, route);
    };
    Lab::start_with(&[], AppProtocol::Http, |_| {}, change)
}

fn conduct(conduct: Conduct) -> HttpRule {
    HttpRule { conduct, ..HttpRule::default() }
}

fn times(request: u64, each: u64) -> Timeouts {
    let time = |millis| (millis > 0).then(|| Duration::from_millis(millis));
    Timeouts { request: time(request), backend_request: time(each) }
}

#[expect(clippy::unnecessary_wraps, reason = "as conduct has it")]
fn retry(codes: &[u16], attempts: u32) -> Option<Retry> {
    Some(Retry { codes: codes.to_vec(), attempts, backoff: Some(Duration::from_millis(20)) })
}

pub(super) const GET: &str = "GET /a HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n";
const POST: &str = "POST /a HTTP/1.1\r\nhost: shop\r\ncontent-length: 5\r\n\
                    connection: close\r\n\r\nhello";

/// Takes a request from the next connection, without an answer.
async fn asked(backend: &Backend) -> TcpStream {
    let mut stream = backend.accept().await;
    read_until(&mut stream, "\r\n\r\n").await;
    stream
}

pub(super) async fn answer(mut stream: TcpStream, status: &str) {
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
    stream.write_all(answer.as_bytes()).await.unwrap();
}

#[tokio::test]
async fn a_response_that_does_not_come_in_time_is_a_504() {
    let backend = Backend::bind().await;
    let rule = conduct(Conduct { timeouts: times(100, 0), ..Conduct::default() });
    let lab = lab(&[&backend], None, rule);
    let began = Instant::now();
    let (answer, mut endpoint) = tokio::join!(lab.ask(GET), asked(&backend));
    assert!(began.elapsed() >= Duration::from_millis(100));
    assert!(answer.starts_with("HTTP/1.1 504 Gateway Timeout\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nupstream request timeout"), "{answer}");
    assert_eq!(endpoint.read(&mut [0]).await.unwrap(), 0, "the endpoint hears of it");
    let line = lab.line(1).await;
    assert_eq!(line["response_flags"], "UT");
    assert_eq!(line["response_code_details"], "upstream_response_timeout");
}

#[tokio::test]
async fn a_response_that_does_not_end_in_time_is_cut_off() {
    let backend = Backend::bind().await;
    let rule = conduct(Conduct { timeouts: times(0, 200), ..Conduct::default() });
    let lab = lab(&[&backend], None, rule);
    let endpoint = async {
        let mut stream = asked(&backend).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nbegun").await.unwrap();
        stream.read(&mut [0]).await.unwrap_or_default()
    };
    let (answer, left) = tokio::join!(lab.ask(GET), endpoint);
    assert!(answer.ends_with("\r\n\r\nbegun"), "{answer}");
    assert_eq!(left, 0);
    assert_eq!(lab.line(1).await["response_flags"], "UT");
}

#[tokio::test]
async fn a_call_of_grpc_ends_when_its_caller_would() {
    let backend = Backend::bind().await;
    let lab = lab(&[&backend], None, HttpRule::default());
    let call = "POST /s/m HTTP/1.1\r\nhost: shop\r\ncontent-type: application/grpc\r\n\
                grpc-timeout: 80m\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let (answer, _endpoint) = tokio::join!(lab.ask(call), asked(&backend));
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("\r\ngrpc-status: 4\r\n"), "{answer}");
}

#[tokio::test]
async fn a_call_of_grpc_that_nobody_began_is_made_again() {
    let backends = [Backend::bind().await, Backend::bind().await];
    let lab = lab(&[&backends[0], &backends[1]], None, HttpRule::default());
    let call = "POST /s/m HTTP/1.1\r\nhost: shop\r\ncontent-type: application/grpc\r\n\
                content-length: 5\r\nconnection: close\r\n\r\nhello";
    let say = |status: &str| {
        format!("HTTP/1.1 200 OK\r\ngrpc-status: {status}\r\ncontent-length: 0\r\n\r\n")
    };
    let endpoints = async {
        let (first, mut stream) = tokio::select! {
            stream = asked(&backends[0]) => (0, stream),
            stream = asked(&backends[1]) => (1, stream),
        };
        stream.write_all(say("14").as_bytes()).await.unwrap();
        let mut stream = asked(&backends[1 - first]).await;
        read_until(&mut stream, "hello").await;
        stream.write_all(say("0").as_bytes()).await.unwrap();
    };
    let (answer, ()) = tokio::join!(lab.ask(call), endpoints);
    assert!(answer.contains("\r\ngrpc-status: 0\r\n"), "{answer}");
}

#[tokio::test]
async fn what_a_route_lists_is_tried_again_at_another_endpoint_with_the_whole_body() {
    let backends = [Backend::bind().await, Backend::bind().await];
    let rule = conduct(Conduct { retry: retry(&[503], 1), ..Conduct::default() });
    let lab = lab(&[&backends[0], &backends[1]], None, rule);
    let endpoints = async {
        let (first, mut stream) = tokio::select! {
            stream = asked(&backends[0]) => (0, stream),
            stream = asked(&backends[1]) => (1, stream),
        };
        read_until(&mut stream, "hello").await;
        let failed = Instant::now();
        answer(stream, "503 Service Unavailable").await;
        let mut second = asked(&backends[1 - first]).await;
        assert!(failed.elapsed() >= Duration::from_millis(20), "too early");
        read_until(&mut second, "hello").await;
        answer(second, "200 OK").await;
    };
    let (answer, ()) = tokio::join!(lab.ask(POST), endpoints);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let line = lab.line(1).await;
    assert_eq!((line["response_flags"].as_str(), &line["bytes_received"]), (Some("-"), &5.into()));
}

#[tokio::test]
async fn the_last_answer_is_passed_on_and_told_as_the_last() {
    let backend = Backend::bind().await;
    let rule = conduct(Conduct { retry: retry(&[503], 2), ..Conduct::default() });
    let lab = lab(&[&backend], None, rule);
    let endpoint = async {
        for _ in 0..3 {
            answer(asked(&backend).await, "503 Service Unavailable").await;
        }
    };
    let (answer, ()) = tokio::join!(lab.ask(GET), endpoint);
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
    assert_eq!(lab.line(1).await["response_flags"], "URX");
}

#[tokio::test]
async fn without_a_retry_an_answer_is_an_answer() {
    let backend = Backend::bind().await;
    let lab = lab(&[&backend], None, HttpRule::default());
    let endpoint = async { answer(asked(&backend).await, "503 Service Unavailable").await };
    let (answer, ()) = tokio::join!(lab.ask(GET), endpoint);
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert_eq!(lab.line(1).await["response_flags"], "-");
}

#[tokio::test]
async fn a_slow_endpoint_is_left_for_another() {
    let backends = [Backend::bind().await, Backend::bind().await];
    let wanted = Conduct { timeouts: times(0, 100), retry: retry(&[], 1), persistence: None };
    let lab = lab(&[&backends[0], &backends[1]], None, conduct(wanted));
    let endpoints = async {
        let (first, slow) = tokio::select! {
            stream = asked(&backends[0]) => (0, stream),
            stream = asked(&backends[1]) => (1, stream),
        };
        answer(asked(&backends[1 - first]).await, "200 OK").await;
        drop(slow);
    };
    let (answer, ()) = tokio::join!(lab.ask(GET), endpoints);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

#[tokio::test]
async fn what_broke_off_is_tried_again_only_where_a_route_says_so() {
    let backend = Backend::bind().await;
    for attempts in [None, Some(1)] {
        let retry = attempts.and_then(|attempts| retry(&[], attempts));
        let lab = lab(&[&backend], None, conduct(Conduct { retry, ..Conduct::default() }));
        let endpoint = async {
            drop(asked(&backend).await);
            if attempts.is_some() {
                answer(asked(&backend).await, "200 OK").await;
            }
        };
        let (answer, ()) = tokio::join!(lab.ask(GET), endpoint);
        let status = if attempts.is_some() { "200" } else { "503" };
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
}

#[tokio::test]
async fn a_body_too_long_to_keep_is_sent_once() {
    let backend = Backend::bind().await;
    let lab =
        lab(&[&backend], None, conduct(Conduct { retry: retry(&[503], 3), ..Conduct::default() }));
    let length = 200 * 1024;
    let head = format!(
        "POST / HTTP/1.1\r\nhost: shop\r\ncontent-length: {length}\r\n\
                        connection: close\r\n\r\n"
    );
    let endpoint = async {
        let mut stream = asked(&backend).await;
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.unwrap();
        answer(stream, "503 Service Unavailable").await;
    };
    let request = head + &"x".repeat(length);
    let (answer, ()) = tokio::join!(lab.ask(&request), endpoint);
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
}

#[tokio::test]
async fn a_client_with_a_cookie_stays_with_its_endpoint() {
    let backends = [Backend::bind().await, Backend::bind().await, Backend::bind().await];
    let by = Persistence {
        name: "sid".to_owned(),
        carrier: Carrier::Cookie { permanent: false },
        absolute: None,
        idle: None,
    };
    let rule = conduct(Conduct { persistence: Some(by), ..Conduct::default() });
    let lab = lab(&[&backends[0], &backends[1], &backends[2]], None, rule);
    for (number, backend) in backends.into_iter().enumerate() {
        backend.echo(["b0", "b1", "b2"][number]);
    }
    let name = |answer: &str| answer.split_once("\r\n\r\n").unwrap().1[..2].to_owned();
    let first = lab.ask(GET).await;
    let cookie = first.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
    let pair = cookie.split(';').next().unwrap();
    let again = GET.replace("\r\n\r\n", &format!("\r\ncookie: {pair}\r\n\r\n"));
    for _ in 0..20 {
        let answer = lab.ask(&again).await;
        assert_eq!(name(&answer), name(&first));
        assert!(!answer.contains("set-cookie"), "{answer}");
    }
}

fn mirrored() -> HttpRule {
    let mirror = Mirror { service: service("copy"), port: 80, share: 1, of: 1 };
    HttpRule { filters: vec![HttpFilter::Mirror(mirror)], ..HttpRule::default() }
}

#[tokio::test]
async fn a_mirror_gets_the_same_request_and_its_answer_goes_nowhere() {
    let (backend, copy) = (Backend::bind().await, Backend::bind().await);
    let lab = lab(&[&backend], Some(&copy), mirrored());
    let endpoint = async {
        let mut stream = asked(&backend).await;
        read_until(&mut stream, "hello").await;
        answer(stream, "200 OK").await;
    };
    let mirror = async {
        let mut stream = copy.accept().await;
        let head = read_until(&mut stream, "\r\n\r\n").await;
        assert!(
            head.starts_with("POST /a HTTP/1.1\r\n") && head.contains("x-request-id"),
            "{head}"
        );
        read_until(&mut stream, "hello").await;
        answer(stream, "500 Internal Server Error").await;
    };
    let (answer, (), ()) = tokio::join!(lab.ask(POST), endpoint, mirror);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let name = "waypoint_mirrored_requests_total{result=\"answered\"}";
    let until = Instant::now() + PATIENCE;
    while lab.metric(&[name]).await < 1.0 {
        assert!(Instant::now() < until, "no mirror answered");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_mirror_that_is_not_there_or_does_not_read_holds_up_nothing() {
    let (backend, copy) = (Backend::bind().await, Backend::bind().await);
    let length = 16 * 1024 * 1024;
    let head = format!(
        "POST / HTTP/1.1\r\nhost: shop\r\ncontent-length: {length}\r\n\
                        connection: close\r\n\r\n"
    );
    let request = head + &"x".repeat(length);
    for copy in [None, Some(&copy)] {
        let lab = lab(&[&backend], copy, mirrored());
        let endpoint = async {
            let mut stream = asked(&backend).await;
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await.unwrap();
            answer(stream, "200 OK").await;
        };
        let (answer, ()) = tokio::join!(lab.ask(&request), endpoint);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        let failed = "waypoint_mirrored_requests_total{result=\"failed\"}";
        let until = Instant::now() + PATIENCE;
        while lab.metric(&[failed]).await < 1.0 {
            assert!(Instant::now() < until, "the mirror did not fail");
            tokio::task::yield_now().await;
        }
    }
}
