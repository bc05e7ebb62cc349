//! HTTP/2 with prior knowledge.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, Version};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::Incoming,
    client::conn::http2::{self, SendRequest},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::lab::{Backend, Lab};
use crate::{mesh::service::AppProtocol, telemetry::task};

/// Answers every request by HTTP/2 with the size of its body and the trailer `grpc-status: 5`;
/// counts connections.
pub(super) fn serve(backend: Backend) -> Arc<AtomicUsize> {
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    task::spawn("http2 endpoint", async move {
        loop {
            let stream = backend.0.accept().await.unwrap().0;
            count.fetch_add(1, Ordering::Relaxed);
            let service = service_fn(|request: Request<Incoming>| async move {
                assert_eq!(request.version(), Version::HTTP_2);
                let target = request.uri().to_string();
                let body = request.into_body().collect().await.unwrap();
                let sum = body.trailers().and_then(|fields| fields.get("x-sum")).cloned();
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", HeaderValue::from_static("5"));
                if let Some(sum) = sum {
                    trailers.insert("x-sum", sum);
                }
                let text = format!("{target} {}", body.to_bytes().len());
                let body = Full::new(Bytes::from(text));
                let body = body.with_trailers(async { Some(Ok::<_, Infallible>(trailers)) });
                Ok::<_, Infallible>(Response::new(body))
            });
            let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            task::spawn("http2 endpoint connection", async move {
                builder.serve_connection(TokioIo::new(stream), service).await
            });
        }
    });
    connections
}

pub(super) type Body = http_body_util::combinators::BoxBody<Bytes, Infallible>;

/// A client with prior knowledge.
pub(super) async fn client(lab: &Lab) -> SendRequest<Body> {
    let stream = TokioIo::new(lab.connect().await);
    let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    task::spawn("http2 client", connection);
    sender
}

fn post(lab: &Lab, path: &str, body: &'static str) -> Request<Body> {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", HeaderValue::from_static("7"));
    let body = Full::new(Bytes::from_static(body.as_bytes()));
    let body = body.with_trailers(async { Some(Ok(trailers)) }).boxed();
    let uri = format!("http://{}{path}", lab.address);
    Request::post(uri).header("content-type", "application/grpc").body(body).unwrap()
}

#[tokio::test]
async fn streams_bodies_and_trailers_pass_both_ways() {
    for protocol in [AppProtocol::Detect, AppProtocol::Http2] {
        let backend = Backend::bind().await;
        let lab = Lab::start(&[backend.address()], protocol);
        serve(backend);
        let mut client = client(&lab).await;
        let request = post(&lab, "/a.B/C?q=1", "hello");
        let uri = request.uri().to_string();
        let response = client.send_request(request).await.unwrap();
        assert_eq!(response.status(), 200);
        let body = response.into_body().collect().await.unwrap();
        let trailers = body.trailers().unwrap().clone();
        assert_eq!(
            (&trailers["x-sum"], &trailers["grpc-status"]),
            (&"7".parse().unwrap(), &"5".parse().unwrap())
        );
        assert_eq!(body.to_bytes(), format!("{uri} 5"));
        let line = lab.line(1).await;
        assert_eq!((&line["protocol"], &line["bytes_received"]), (&"HTTP/2".into(), &5.into()));
        let labels = ["istio_requests_total{", "\"grpc\"", "grpc_response_status=\"5\""];
        assert!((lab.metric(&labels).await - 1.0).abs() < f64::EPSILON);
    }
}

#[tokio::test]
async fn many_streams_share_few_connections_to_the_endpoint() {
    let backend = Backend::bind().await;
    let lab = Lab::start(&[backend.address()], AppProtocol::Http2);
    let connections = serve(backend);
    let mut client = client(&lab).await;
    // The second round finds connections; the first finds none and must not dial for each request.
    for round in 1..=2 {
        let answers = (0..150).map(|_| client.send_request(post(&lab, "/", "x")));
        for answer in futures_util::future::join_all(answers).await {
            let body = answer.unwrap().into_body().collect().await.unwrap();
            assert!(body.trailers().is_some());
        }
        assert_eq!(lab.line(150 * round).await["response_flags"], "-");
    }
    let dialled = connections.load(Ordering::Relaxed);
    assert!((1..=4).contains(&dialled), "{dialled} connections");
}

#[tokio::test]
async fn a_port_that_declares_http_1_is_spoken_to_so() {
    let backend = Backend::bind().await;
    let lab = Lab::start(&[backend.address()], AppProtocol::Http);
    backend.echo("one");
    let mut client = client(&lab).await;
    let request = Request::get(format!("http://{}/x?q=1", lab.address));
    let request = request.header("cookie", "a").body(Full::default().boxed()).unwrap();
    let response = client.send_request(request).await.unwrap();
    assert_eq!(response.version(), Version::HTTP_2);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8(body.to_vec()).unwrap();
    assert!(text.starts_with("one\nGET /x?q=1 HTTP/1.1\r\n"), "{text}");
    assert!(text.contains(&format!("host: {}\r\n", lab.address)), "{text}");
}

#[tokio::test]
async fn refusals_are_responses_of_the_same_version() {
    let lab = Lab::start(&[], AppProtocol::Detect);
    let mut client = client(&lab).await;
    let response = client.send_request(post(&lab, "/", "")).await.unwrap();
    assert_eq!(response.headers()["grpc-status"], "14");
    assert_eq!(lab.line(1).await["response_flags"], "UH");
}
