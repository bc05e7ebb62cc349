//! Bodies are shown whatever the client speaks, and whether or not it waits for leave to send them.

use std::future::poll_fn;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use tokio::{io::AsyncWriteExt, time::timeout};

use super::{
    auth_body::{DONE, POST, is_left_alone, serve, start},
    http2::{self, Body, client},
    lab::{Lab, PATIENCE, add_service, read_until},
};
use crate::{mesh::service::AppProtocol, telemetry::task};

const EXPECT: &str = "expect: 100-continue\r\n";

/// A request by HTTP/2 that has trailers, and does not say how long it is.
fn post(lab: &Lab, body: &'static str) -> Request<Body> {
    let trailers = HeaderMap::from_iter([(
        http::HeaderName::from_static("x-sum"),
        HeaderValue::from_static("7"),
    )]);
    let body = Full::new(Bytes::from_static(body.as_bytes()));
    let body = body.with_trailers(async { Some(Ok(trailers)) }).boxed();
    Request::post(format!("http://{}/a", lab.address)).body(body).unwrap()
}

#[tokio::test]
async fn a_body_by_http_2_goes_on_with_its_trailers() {
    let (lab, backend, authority) = start().await;
    let mut client = client(&lab).await;
    let (answer, question, sent) = tokio::join!(
        client.send_request(post(&lab, "hello")),
        serve(&authority, "hello", DONE),
        serve(&backend, "x-sum: 7\r\n\r\n", DONE)
    );
    assert_eq!(answer.unwrap().status(), 200);
    assert!(question.contains("\r\ncontent-length: 5\r\n"), "{question}");
    assert!(sent.ends_with("5\r\nhello\r\n0\r\nx-sum: 7\r\n\r\n"), "{sent}");
    assert_eq!(lab.line(1).await["bytes_received"], 5);
}

#[tokio::test]
async fn a_body_goes_on_to_an_endpoint_of_http_2_with_its_trailers() {
    let (mut lab, backend, authority) = start().await;
    let address = backend.address();
    lab.change(|contents| add_service(contents, "v1", (80, AppProtocol::Http2), &[address]));
    http2::serve(backend);
    let mut client = client(&lab).await;
    let asks = serve(&authority, "hello", DONE);
    let (answer, _) = tokio::join!(client.send_request(post(&lab, "hello")), asks);
    let body = answer.unwrap().into_body().collect().await.unwrap();
    assert_eq!(body.trailers().unwrap()["x-sum"], "7");
    assert!(body.to_bytes().ends_with(b"/a 5"));
}

#[tokio::test]
async fn a_body_by_http_2_that_is_too_long_or_refused_leaves_the_connection_open() {
    let (lab, backend, authority) = start().await;
    let mut client = client(&lab).await;
    let answer = client.send_request(post(&lab, "hello!")).await.unwrap();
    assert_eq!(answer.status(), 413);
    assert!(is_left_alone(&authority).await);
    let refusal = DONE.replace("200 OK", "403 Forbidden");
    let asks = serve(&authority, "hello", &refusal);
    let (answer, _) = tokio::join!(client.send_request(post(&lab, "hello")), asks);
    assert_eq!(answer.unwrap().status(), 403);
    assert_eq!(lab.line(2).await["bytes_received"], 5);
    assert!(is_left_alone(&backend).await);
}

#[tokio::test]
async fn who_waits_for_leave_gets_it_before_the_body_is_shown() {
    let (lab, backend, authority) = start().await;
    let mut client = lab.connect().await;
    let head = format!("{POST}{EXPECT}content-length: 5\r\n\r\n");
    client.write_all(head.as_bytes()).await.unwrap();
    let leave = read_until(&mut client, "\r\n\r\n").await;
    assert_eq!(leave, "HTTP/1.1 100 Continue\r\n\r\n");
    assert!(is_left_alone(&authority).await);
    client.write_all(b"hello").await.unwrap();
    let (answer, _, _) = tokio::join!(
        read_until(&mut client, "\r\n\r\n"),
        serve(&authority, "hello", DONE),
        serve(&backend, "hello", DONE)
    );
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn who_waits_for_leave_to_send_too_much_gets_none() {
    let (lab, _backend, _authority) = start().await;
    let answer = lab.ask(&format!("{POST}{EXPECT}content-length: 6\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn who_waits_for_leave_by_http_2_gets_it_before_the_body_is_shown() {
    let (lab, backend, authority) = start().await;
    let (mut client, connection) = h2::client::handshake(lab.connect().await).await.unwrap();
    task::spawn("http2 client", connection);
    let request = Request::post(format!("http://{}/a", lab.address));
    let request = request.header("expect", "100-continue").body(()).unwrap();
    let (mut answer, mut body) = client.send_request(request, false).unwrap();
    let leave: Option<Result<Response<()>, _>> =
        timeout(PATIENCE, poll_fn(|cx| answer.poll_informational(cx))).await.expect("no leave");
    assert_eq!(leave.unwrap().unwrap().status(), 100);
    assert!(is_left_alone(&authority).await);
    body.send_data(Bytes::from_static(b"hello"), true).unwrap();
    let (answer, _, _) =
        tokio::join!(answer, serve(&authority, "hello", DONE), serve(&backend, "hello", DONE));
    assert_eq!(answer.unwrap().status(), 200);
}

#[tokio::test]
async fn a_text_of_grpc_web_is_shown_as_the_client_sent_it() {
    let (mut lab, backend, authority) = start().await;
    let address = backend.address();
    lab.change(|contents| add_service(contents, "v1", (80, AppProtocol::Http2), &[address]));
    http2::serve(backend);
    let text = STANDARD.encode("abc");
    let kind = "content-type: application/grpc-web-text\r\n";
    let request = format!("{POST}{kind}content-length: {}\r\n\r\n{text}", text.len());
    let asks = serve(&authority, &text, DONE);
    let (answer, question) = tokio::join!(lab.ask(&request), asks);
    assert!(question.ends_with(&format!("\r\n\r\n{text}")), "{question}");
    // The endpoint gets three bytes.
    assert!(answer.contains("/a 3"), "{answer}");
    assert_eq!(lab.line(1).await["bytes_received"], text.len());
}
