//! gRPC-Web toward clients, gRPC toward endpoints.

use std::convert::Infallible;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, Version};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::{
    body::{Frame, Incoming},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::lab::{Backend, Lab, read_to_end, read_until};
use crate::{mesh::service::AppProtocol, telemetry::task};

/// Answers every call with its own message and the status 5; one of `/now`, at once with the
/// status 7; one of `/page`, with what is no gRPC.
async fn answer(request: Request<Incoming>) -> Result<Response<super::http2::Body>, Infallible> {
    assert_eq!(request.version(), Version::HTTP_2);
    let headers = request.headers();
    let kind = headers["content-type"].to_str().unwrap();
    assert!(kind.starts_with("application/grpc") && !kind.contains("web"), "{kind}");
    assert_eq!(headers["te"], "trailers");
    let answer = Response::builder().header("content-type", "application/grpc");
    match request.uri().path() {
        "/now" => {
            let answer = answer.header("grpc-status", "7").body(Full::default().boxed());
            return Ok(answer.unwrap());
        }
        "/page" => {
            let page = Response::builder().status(415).header("content-type", "text/html");
            return Ok(page.body(Full::from("what?").boxed()).unwrap());
        }
        _ => {}
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("5"));
    let message = request.into_body().collect().await.unwrap().to_bytes();
    // In two pieces, of which neither is whole groups of three bytes.
    let (first, second) = message.split_at(message.len() / 2);
    let (first, second) = (Bytes::copy_from_slice(first), Bytes::copy_from_slice(second));
    let frames = [Frame::data(first), Frame::data(second), Frame::trailers(trailers)];
    let frames = futures_util::stream::iter(frames.map(Ok::<_, Infallible>));
    Ok(answer.body(BodyExt::boxed(StreamBody::new(frames))).unwrap())
}

/// Serves it by HTTP/2.
fn serve(backend: Backend) {
    task::spawn("grpc endpoint", async move {
        loop {
            let stream = TokioIo::new(backend.0.accept().await.unwrap().0);
            let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            let serving = builder.serve_connection(stream, service_fn(answer));
            task::spawn("grpc endpoint connection", serving);
        }
    });
}

async fn lab() -> Lab {
    let backend = Backend::bind().await;
    let lab = Lab::start(&[backend.address()], AppProtocol::Http2);
    serve(backend);
    lab
}

/// A call of HTTP/1.1.
fn call(path: &str, kind: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: {kind}\r\nx-grpc-web: 1\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The body of an answer in chunks.
fn body(answer: &str) -> String {
    let (head, mut rest) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("transfer-encoding: chunked"), "{head}");
    let mut body = String::new();
    loop {
        let (size, more) = rest.split_once("\r\n").unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return body;
        }
        body += &more[..size];
        rest = &more[size + 2..];
    }
}

/// The frame that ends every answer.
const LAST: &[u8] = b"\x80\0\0\0\x0fgrpc-status:5\r\n";

#[tokio::test]
async fn a_call_and_its_trailers_are_translated() {
    let lab = lab().await;
    let message = "\0\0\0\0\x05hello";
    let mut client = lab.connect().await;
    client
        .write_all(call("/a.B/C", "application/grpc-web+proto", message).as_bytes())
        .await
        .unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.unwrap();
    // A single byte of it is no text.
    let answer = String::from_utf8(answer.into_iter().map(|byte| byte & 0x7f).collect()).unwrap();
    assert!(answer.contains("content-type: application/grpc-web+proto\r\n"), "{answer}");
    let last: String = LAST.iter().map(|byte| char::from(byte & 0x7f)).collect();
    assert_eq!(body(&answer), format!("{message}{last}"));
    let line = lab.line(1).await;
    assert_eq!((&line["response_code"], &line["response_flags"]), (&200.into(), &"-".into()));
    assert_eq!(line["bytes_sent"], message.len() + LAST.len());
    let labels = ["istio_requests_total{", "\"grpc\"", "grpc_response_status=\"5\""];
    assert!((lab.metric(&labels).await - 1.0).abs() < f64::EPSILON);
}

#[tokio::test]
async fn a_call_in_text_is_answered_in_text() {
    let lab = lab().await;
    let message = b"\0\0\0\0\x05hello";
    // Encoded in two parts, each with padding of its own.
    let text = STANDARD.encode(&message[..4]) + &STANDARD.encode(&message[4..]);
    let answer = lab.ask(&call("/a.B/C", "application/grpc-web-text", &text)).await;
    assert!(answer.contains("content-type: application/grpc-web-text+proto\r\n"), "{answer}");
    let (first, second) = message.split_at(5);
    let parts = [first, second, LAST].map(|part| STANDARD.encode(part));
    assert_eq!(body(&answer), parts.concat());
    for wrong in ["AA!A", "AAAAA"] {
        let answer = lab.ask(&call("/a.B/C", "application/grpc-web-text", wrong)).await;
        assert!(answer.contains("grpc-status: 13\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn a_piece_of_a_call_is_heard_before_the_next_is_sent() {
    let backend = Backend::bind().await;
    let lab = Lab::start(&[backend.address()], AppProtocol::Http2);
    let mut client = lab.connect().await;
    let head = "POST / HTTP/1.1\r\nhost: a\r\ncontent-type: application/grpc-web-text\r\n\
                transfer-encoding: chunked\r\n\r\n";
    client.write_all(head.as_bytes()).await.unwrap();
    let mut connection = h2::server::handshake(backend.accept().await).await.unwrap();
    let (request, mut respond) = connection.accept().await.unwrap().unwrap();
    task::spawn("grpc endpoint", async move { while connection.accept().await.is_some() {} });
    let mut asked = request.into_body();
    let answer = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
    let mut answering = respond.send_response(answer, false).unwrap();
    read_until(&mut client, "\r\n\r\n").await;
    for _ in 0..3 {
        client.write_all(b"4\r\nQUI=\r\n").await.unwrap();
        assert_eq!(asked.data().await.unwrap().unwrap(), "AB");
        answering.send_data(Bytes::from_static(b"CD"), false).unwrap();
        read_until(&mut client, "4\r\nQ0Q=\r\n").await;
    }
    // What breaks within is no answer that ended.
    answering.send_reset(h2::Reason::INTERNAL_ERROR);
    assert_eq!(read_to_end(&mut client).await, "");
    assert_eq!(lab.line(1).await["response_flags"], "UC");
}

#[tokio::test]
async fn a_status_without_a_message_stays_a_field() {
    let lab = lab().await;
    let answer = lab.ask(&call("/now", "application/grpc-web-text", "")).await;
    assert!(answer.contains("content-type: application/grpc-web-text+proto\r\n"), "{answer}");
    assert!(answer.contains("grpc-status: 7\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn what_is_no_grpc_passes_as_it_is() {
    let lab = lab().await;
    let answer = lab.ask(&call("/page", "application/grpc-web-text", "")).await;
    assert!(answer.starts_with("HTTP/1.1 415 "), "{answer}");
    assert!(answer.contains("content-type: text/html\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nwhat?"), "{answer}");
}

#[tokio::test]
async fn an_endpoint_of_http_1_understands_grpc_web_itself() {
    let backend = Backend::bind().await;
    let lab = Lab::start(&[backend.address()], AppProtocol::Http);
    backend.echo("one");
    let answer = lab.ask(&call("/a.B/C", "application/grpc-web+proto", "")).await;
    assert!(answer.contains("\r\ncontent-type: application/grpc-web+proto\r\n"), "{answer}");
}

#[tokio::test]
async fn clients_are_refused_in_their_dialect() {
    let lab = Lab::start(&[], AppProtocol::Http2);
    let answer = lab.ask(&call("/a.B/C", "application/grpc-web-text", "")).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("content-type: application/grpc-web-text+proto\r\n"), "{answer}");
    assert!(answer.contains("grpc-status: 14\r\n"), "{answer}");
}
