//! Conditions of retries that are no status of HTTP.

use h2::{Reason, server};
use http::Response;

use super::*;
use crate::{
    mesh::traffic_policy::RetryOn::{
        ConnectFailure, GatewayError, Grpc, RefusedStream, Reset, ServerError,
    },
    proxy::tests::lab::{Nobody, next_head},
};

const CALL: &str = "POST /a.B/C HTTP/1.1\r\nhost: shop\r\ncontent-type: application/grpc\r\n\
                    content-length: 0\r\nconnection: close\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_cannot_be_reached_is_a_condition() {
    for (on, is_met) in [
        (ConnectFailure, true),
        (ServerError, true),
        (GatewayError, true),
        (RefusedStream, false),
        (Reset, false),
        (Grpc(14), false),
    ] {
        let gone = Nobody::bind();
        let backends = [gone.address(), named(["there"]).await[0]];
        let lab = lab(&backends, |policy| {
            policy.endpoints.load_balancing.algorithm = Algorithm::RoundRobin;
            policy.requests.retry = Some(retry(&[on], 1));
        });
        let answers = [lab.ask(GET).await, lab.ask(GET).await];
        let failed = answers.iter().filter(|answer| answer.starts_with("HTTP/1.1 503 ")).count();
        assert_eq!(failed, usize::from(!is_met), "{on:?}: {answers:?}");
    }
}

/// An endpoint of HTTP/2 that refuses each request before it looks at it, or answers it; and how
/// often it was asked.
async fn over_http2(refuses: bool) -> (SocketAddr, Arc<AtomicUsize>) {
    let (backend, asked) = (Backend::bind().await, Arc::new(AtomicUsize::new(0)));
    let (address, counts) = (backend.address(), Arc::clone(&asked));
    task::spawn("http2 endpoint", async move {
        loop {
            let (stream, counts) = (backend.0.accept().await.unwrap().0, Arc::clone(&counts));
            task::spawn("http2 endpoint connection", answer_over_http2(stream, refuses, counts));
        }
    });
    (address, asked)
}

/// Refuses each request of a connection, or answers it.
async fn answer_over_http2(stream: TcpStream, refuses: bool, counts: Arc<AtomicUsize>) {
    let Ok(mut connection) = server::handshake(stream).await else { return };
    while let Some(Ok((_, mut respond))) = connection.accept().await {
        counts.fetch_add(1, Ordering::SeqCst);
        if refuses {
            respond.send_reset(Reason::REFUSED_STREAM);
        } else {
            respond.send_response(Response::new(()), true).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_refused_is_a_condition() {
    for (on, is_met) in [
        (RefusedStream, true),
        (Reset, true),
        (ServerError, true),
        (ConnectFailure, false),
        (Grpc(14), false),
    ] {
        let ((busy, refused), (free, answered)) = (over_http2(true).await, over_http2(false).await);
        let lab = Lab::start_with(
            &[busy, free],
            AppProtocol::Http2,
            |_| {},
            |contents, _| {
                govern(contents, |policy| {
                    policy.endpoints.load_balancing.algorithm = Algorithm::RoundRobin;
                    policy.requests.retry = Some(retry(&[on], 1));
                });
            },
        );
        let answers = [lab.ask(GET).await, lab.ask(GET).await];
        let failed = answers.iter().filter(|answer| answer.starts_with("HTTP/1.1 503 ")).count();
        assert_eq!(failed, usize::from(!is_met), "{on:?}: {answers:?}");
        assert!(refused.load(Ordering::SeqCst) >= 1, "{on:?}");
        assert_eq!(answered.load(Ordering::SeqCst), 2 - failed, "{on:?}");
    }
}

/// An endpoint that ends calls of gRPC with these statuses before they begin, one after the other;
/// and how often it was asked.
async fn calls(statuses: &'static [u16]) -> (SocketAddr, Arc<AtomicUsize>) {
    let (backend, asked) = (Backend::bind().await, Arc::new(AtomicUsize::new(0)));
    let (address, counts) = (backend.address(), Arc::clone(&asked));
    task::spawn("grpc endpoint", async move {
        loop {
            let (stream, counts) = (backend.accept().await, Arc::clone(&counts));
            task::spawn("grpc endpoint connection", end_calls(stream, statuses, counts));
        }
    });
    (address, asked)
}

/// Ends each call of a connection with the next status.
async fn end_calls(mut stream: TcpStream, statuses: &'static [u16], counts: Arc<AtomicUsize>) {
    while next_head(&mut stream).await.is_some() {
        let status = statuses[counts.fetch_add(1, Ordering::SeqCst)];
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\n\
             grpc-status: {status}\r\ncontent-length: 0\r\n\r\n"
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_of_grpc_is_a_condition() {
    let cases: [(&'static [u16], &[RetryOn], u16, usize); 6] = [
        (&[8, 0], &[Grpc(8)], 0, 2),
        (&[1, 4, 13, 0], &[Grpc(1), Grpc(4), Grpc(13)], 0, 4),
        (&[8, 0], &[Grpc(14)], 8, 1),
        // One digit of it is another status.
        (&[14, 0], &[Grpc(1)], 14, 1),
        // The policy counts instead of what holds where nobody says anything.
        (&[14, 0], &[ConnectFailure], 14, 1),
        (&[14, 14, 14, 14, 0], &[Grpc(14)], 14, 4),
    ];
    for (statuses, on, wanted, times) in cases {
        let (endpoint, asked) = calls(statuses).await;
        let lab = lab(&[endpoint], |policy| policy.requests.retry = Some(retry(on, 3)));
        let answer = lab.ask(CALL).await;
        let status = format!("\r\ngrpc-status: {wanted}\r\n");
        assert!(answer.contains(&status), "{statuses:?} {on:?}: {answer}");
        assert_eq!(asked.load(Ordering::SeqCst), times, "{statuses:?} {on:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_try_that_is_not_made_takes_nobody_s_turn() {
    let nothing_left = Some(Budget { percent: 0, min_retries_per_second: 0 });
    for (rules, bounds) in [
        (retry(&[Reset], 1), CircuitBreaker::default()),
        (Retry { budget: nothing_left, ..retry(&[ServerError], 1) }, CircuitBreaker::default()),
        (
            retry(&[ServerError], 1),
            CircuitBreaker { retries: Some(0), ..CircuitBreaker::default() },
        ),
    ] {
        let case = format!("{rules:?} {bounds:?}");
        let ((bad, asked), (good, _)) = (scripted(&[503]).await, scripted(&[200]).await);
        let lab = lab(&[bad, good], |policy| {
            policy.endpoints.load_balancing.algorithm = Algorithm::RoundRobin;
            policy.endpoints.circuit_breaker = bounds;
            policy.requests.retry = Some(rules);
        });
        for _ in 0..10 {
            lab.ask(GET).await;
        }
        assert_eq!(asked.load(Ordering::SeqCst), 5, "{case}");
    }
}
