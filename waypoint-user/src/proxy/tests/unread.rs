//! Clients that ask for much and read nothing of it.

use std::time::Duration;

use http::Request;
use http_body_util::{BodyExt, Full};
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};

use super::{
    http2::client,
    lab::{Backend, Lab, PATIENCE, answer_all, read_until},
    refusals::deny,
    traffic::{GET, lab, who},
};
use crate::mesh::traffic_policy::{CircuitBreaker, TrafficPolicy};

/// Answers a request without an end, until the other side has enough of it.
async fn pour(backend: &Backend) {
    let mut stream = begin(backend).await;
    let pouring = async { while stream.write_all(&PIECE).await.is_ok() {} };
    timeout(PATIENCE, pouring).await.expect("the endpoint is held up for ever");
}

async fn begin(backend: &Backend) -> TcpStream {
    let mut stream = backend.accept().await;
    read_until(&mut stream, "\r\n\r\n").await;
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n").await.unwrap();
    stream
}

/// One request at a time, each for at most a second.
fn one_in_time(policy: &mut TrafficPolicy) {
    policy.requests.timeouts.request = Some(Duration::from_secs(1));
    one_at_a_time(policy);
}

/// The same, as long as something moves.
fn one_while_it_moves(policy: &mut TrafficPolicy) {
    policy.requests.timeouts.stream_idle = Some(Duration::from_secs(1));
    one_at_a_time(policy);
}

fn one_at_a_time(policy: &mut TrafficPolicy) {
    policy.endpoints.circuit_breaker =
        CircuitBreaker { requests: Some(1), ..CircuitBreaker::default() };
}

/// Asks, and reads nothing.
async fn ask_in_vain(lab: &Lab) -> TcpStream {
    let mut client = lab.connect().await;
    client.write_all(GET.as_bytes()).await.unwrap();
    client
}

/// Another request has its turn.
async fn next_is_served(lab: &Lab, backend: &Backend) {
    let answering = async { answer_all(backend.accept().await, "next").await };
    tokio::select! {
        answer = lab.ask(GET) => assert_eq!(who(&answer), "next"),
        () = answering => panic!("the connection was closed"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_is_cut_off_when_its_time_is_over() {
    for (rules, flag) in [(one_in_time as fn(&mut TrafficPolicy), "UT"), (one_while_it_moves, "SI")]
    {
        let backend = Backend::bind().await;
        let lab = lab(&[backend.address()], rules);
        let _client = ask_in_vain(&lab).await;
        pour(&backend).await;
        assert_eq!(lab.line(1).await["response_flags"], flag);
        next_is_served(&lab, &backend).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_not_read_is_reset_when_its_time_is_over() {
    for (rules, flag) in [(one_in_time as fn(&mut TrafficPolicy), "UT"), (one_while_it_moves, "SI")]
    {
        let backend = Backend::bind().await;
        let lab = lab(&[backend.address()], rules);
        let mut client = client(&lab).await;
        let request = Request::get(format!("http://{}/", lab.address));
        let request = request.body(Full::default().boxed()).unwrap();
        let (response, ()) = tokio::join!(client.send_request(request), pour(&backend));
        assert_eq!(lab.line(1).await["response_flags"], flag);
        let read = timeout(PATIENCE, response.unwrap().into_body().collect());
        assert!(read.await.expect("the stream is not reset").is_err());
        next_is_served(&lab, &backend).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_is_cut_off_when_it_is_denied() {
    let backend = Backend::bind().await;
    let mut lab = lab(&[backend.address()], one_at_a_time);
    let _client = ask_in_vain(&lab).await;
    let mut upstream = begin(&backend).await;
    while let Ok(sent) = timeout(STILL, upstream.write_all(&PIECE)).await {
        sent.unwrap();
    }
    lab.change(|contents| deny(contents, "GET"));
    let cut = async { while upstream.write_all(&PIECE).await.is_ok() {} };
    timeout(PATIENCE, cut).await.expect("the endpoint is held up for ever");
    let details = lab.line(1).await["response_code_details"].to_string();
    assert!(details.contains("rbac_access_denied"), "{details}");
}

/// A piece of a body.
static PIECE: [u8; 64 * 1024] = [b'x'; 64 * 1024];

/// After this time nothing moves any more.
const STILL: Duration = Duration::from_millis(500);
