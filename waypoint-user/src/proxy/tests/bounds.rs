//! Few connections, and more than one who wants them.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{sync::Barrier, time::timeout};

use super::{
    http2::{Body, client},
    lab::{Backend, Lab, PATIENCE},
    traffic::{GET, govern, lab, named, who},
};
use crate::{
    mesh::{
        service::AppProtocol,
        traffic_policy::{Algorithm, CircuitBreaker, TrafficPolicy},
    },
    telemetry::task,
};

/// One connection, and endpoints in turns.
fn one_connection(policy: &mut TrafficPolicy) {
    policy.endpoints.load_balancing.algorithm = Algorithm::RoundRobin;
    policy.endpoints.circuit_breaker =
        CircuitBreaker { connections: Some(1), ..CircuitBreaker::default() };
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_makes_room_for_one_to_another_endpoint() {
    let backends = named(["a", "b"]).await;
    let lab = lab(&backends, one_connection);
    for wanted in ["a", "b", "a"] {
        assert_eq!(who(&lab.ask(GET).await), wanted);
    }
}

/// Answers requests by HTTP/2 when there are two of them.
fn answer_two_together(backend: Backend) {
    let both = Arc::new(Barrier::new(2));
    task::spawn("http2 endpoint", async move {
        loop {
            let (stream, both) = (backend.0.accept().await.unwrap().0, Arc::clone(&both));
            let service = service_fn(move |_: Request<Incoming>| {
                let both = Arc::clone(&both);
                async move {
                    both.wait().await;
                    Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"both"))))
                }
            });
            let builder = http2::Builder::new(TokioExecutor::new());
            let serving = builder.serve_connection(TokioIo::new(stream), service);
            task::spawn("http2 endpoint connection", serving);
        }
    });
}

fn get(lab: &Lab) -> Request<Body> {
    let uri = format!("http://{}/", lab.address);
    Request::get(uri).body(Full::default().boxed()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_waits_takes_a_stream_of_the_connection_that_another_dialled() {
    let backend = Backend::bind().await;
    let lab = Lab::start_with(
        &[backend.address()],
        AppProtocol::Http2,
        |_| {},
        |contents, _| govern(contents, one_connection),
    );
    answer_two_together(backend);
    let mut client = client(&lab).await;
    let (one, other) = (client.send_request(get(&lab)), client.send_request(get(&lab)));
    let both = timeout(PATIENCE, async { tokio::join!(one, other) });
    let (one, other) = both.await.expect("the second request waits for the end of the first");
    assert_eq!((one.unwrap().status(), other.unwrap().status()), (StatusCode::OK, StatusCode::OK));
}
