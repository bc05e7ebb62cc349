//! Somebody is asked whether requests may pass.

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::AsyncWriteExt;

use super::{
    conduct::{GET, answer, lab, service},
    http2::client,
    lab::{Backend, read_to_end, read_until},
    refusals::deny,
};
use crate::{
    mesh::route::{AuthProtocol, ExternalAuth, HttpFilter, HttpRule},
    telemetry::task,
};

/// A rule whose requests `copy` is asked about.
fn asks(gets: &[&str]) -> HttpRule {
    asks_below("/check/", gets)
}

fn asks_below(path: &str, gets: &[&str]) -> HttpRule {
    let auth = ExternalAuth {
        service: service("copy"),
        port: 80,
        told: vec!["x-cart".to_owned()],
        shows: 0,
        by: AuthProtocol::Http {
            path: path.to_owned(),
            gets: gets.iter().map(|name| (*name).to_owned()).collect(),
        },
    };
    HttpRule { filters: vec![HttpFilter::Auth(auth)], ..HttpRule::default() }
}

/// Answers the question about a request; returns its head.
async fn told(authority: &Backend, status: &str, fields: &str) -> String {
    let mut stream = authority.accept().await;
    let head = read_until(&mut stream, "\r\n\r\n").await;
    let answer = format!("HTTP/1.1 {status}\r\n{fields}content-length: 2\r\n\r\nno");
    stream.write_all(answer.as_bytes()).await.unwrap();
    head
}

#[tokio::test]
async fn what_is_allowed_passes_with_what_the_authority_adds() {
    for (gets, wanted) in [(&["x-user"][..], false), (&[], true)] {
        let (backend, authority) = (Backend::bind().await, Backend::bind().await);
        let lab = lab(&[&backend], Some(&authority), asks(gets));
        let request = GET.replace("\r\n\r\n", "\r\nx-cart: 3\r\nx-other: 4\r\n\r\n");
        let endpoint = async {
            let mut stream = backend.accept().await;
            let head = read_until(&mut stream, "\r\n\r\n").await;
            answer(stream, "200 OK").await;
            head
        };
        let fields = "x-user: jason\r\nx-more: 1\r\n";
        let (answer, head, question) =
            tokio::join!(lab.ask(&request), endpoint, told(&authority, "200 OK", fields));
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(question.starts_with("GET /check/a HTTP/1.1\r\n"), "{question}");
        assert!(question.contains("\r\nhost: shop\r\n"), "{question}");
        assert!(question.contains("\r\nx-cart: 3\r\n"), "{question}");
        assert!(!question.contains("x-other"), "{question}");
        assert!(head.contains("\r\nx-user: jason\r\n"), "{head}");
        assert_eq!(head.contains("\r\nx-more: 1\r\n"), wanted, "{head}");
    }
}

#[tokio::test]
async fn what_is_refused_is_answered_as_the_authority_says() {
    let (backend, authority) = (Backend::bind().await, Backend::bind().await);
    let lab = lab(&[&backend], Some(&authority), asks(&[]));
    let fields = "www-authenticate: Basic\r\n";
    let (answer, _) = tokio::join!(lab.ask(GET), told(&authority, "401 Unauthorized", fields));
    assert!(answer.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{answer}");
    assert!(answer.contains("\r\nwww-authenticate: Basic\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nno"), "{answer}");
    let line = lab.line(1).await;
    assert_eq!(line["response_flags"], "UAEX");
    assert_eq!(line["response_code_details"], "ext_authz_denied");
}

#[tokio::test]
async fn without_an_answer_nothing_passes() {
    let backend = Backend::bind().await;
    let lab = lab(&[&backend], None, asks(&[]));
    let answer = lab.ask(GET).await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    let line = lab.line(1).await;
    assert_eq!(line["response_flags"], "UAEX");
    assert_eq!(line["response_code_details"], "ext_authz_error");
}

#[tokio::test]
async fn what_cannot_be_asked_does_not_pass() {
    for path in ["/check<", "/check#", "/check?all"] {
        let (backend, authority) = (Backend::bind().await, Backend::bind().await);
        let lab = lab(&[&backend], Some(&authority), asks_below(path, &[]));
        authority.echo("yes");
        backend.echo("passed");
        let answer = lab.ask(GET).await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{path}: {answer}");
        assert_eq!(lab.line(1).await["response_code_details"], "ext_authz_error");
    }
}

#[tokio::test]
async fn who_is_denied_while_somebody_is_asked_does_not_pass() {
    let (backend, authority) = (Backend::bind().await, Backend::bind().await);
    let mut lab = lab(&[&backend], Some(&authority), asks(&[]));
    backend.echo("passed");
    // There is a connection that the request would go out on at once.
    let (answer, _) = tokio::join!(lab.ask(GET), told(&authority, "200 OK", ""));
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    for number in 1..16 {
        let mut client = lab.connect().await;
        client.write_all(GET.as_bytes()).await.unwrap();
        let mut question = authority.accept().await;
        read_until(&mut question, "\r\n\r\n").await;
        lab.change(|contents| deny(contents, "GET"));
        question.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        let answer = read_to_end(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
        let line = lab.line(number + 1).await;
        assert_eq!(line["upstream_host"], "-", "it was sent: {line}");
        lab.change(|contents| contents.policies.clear());
    }
}

/// Answers questions by gRPC with a message.
pub(super) fn say_by_grpc(authority: Backend, said: &'static [u8], told: &'static [&'static [u8]]) {
    let answer = move |request: Request<Incoming>| async move {
        assert_eq!(request.uri().path(), "/envoy.service.auth.v3.Authorization/Check");
        let asked = request.into_body().collect().await.unwrap().to_bytes();
        for part in told {
            let found = asked.windows(part.len()).any(|window| window == *part);
            assert!(found, "no {part:?} in {asked:?}");
        }
        let length = u32::try_from(said.len()).unwrap().to_be_bytes();
        let message = [&[0], &length[..], said].concat();
        let status = (HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"));
        let trailers = async { Some(Ok(HeaderMap::from_iter([status]))) };
        let body = Full::new(Bytes::from(message)).with_trailers(trailers);
        Ok::<_, Infallible>(Response::new(body))
    };
    task::spawn("authority", async move {
        let stream = TokioIo::new(authority.accept().await);
        let serving = http2::Builder::new(TokioExecutor::new());
        serving.serve_connection(stream, service_fn(answer)).await
    });
}

/// A rule whose requests `copy` is asked about by gRPC.
fn asks_by_grpc() -> HttpRule {
    let (service, by) = (service("copy"), AuthProtocol::Grpc);
    let auth = ExternalAuth { service, port: 80, told: Vec::new(), shows: 0, by };
    HttpRule { filters: vec![HttpFilter::Auth(auth)], ..HttpRule::default() }
}

/// What becomes of a request that is asked about by gRPC.
async fn asked_by_grpc(said: &'static [u8]) -> String {
    let (backend, authority) = (Backend::bind().await, Backend::bind().await);
    let lab = lab(&[&backend], Some(&authority), asks_by_grpc());
    say_by_grpc(authority, said, &[b"/a", b"GET", b"HTTP/1.1", b"x-cart", b"shop"]);
    backend.echo("passed");
    lab.ask(&GET.replace("\r\n\r\n", "\r\nx-cart: 3\r\n\r\n")).await
}

#[tokio::test]
async fn an_authority_by_grpc_lets_pass_and_refuses() {
    // status {}, ok_response { headers { header { key: "x-user", value: "jason" } } }
    let passed =
        asked_by_grpc(b"\x0a\x00\x1a\x13\x12\x11\x0a\x0f\x0a\x06x-user\x12\x05jason").await;
    assert!(passed.starts_with("HTTP/1.1 200 OK\r\n"), "{passed}");
    assert!(passed.contains("\r\nx-user: jason\r\n"), "{passed}");
    // status { code: 7 }, denied_response { status { code: 429 }, body: "later" }
    let refused = asked_by_grpc(b"\x0a\x02\x08\x07\x12\x0c\x0a\x03\x08\xad\x03\x1a\x05later").await;
    assert!(refused.starts_with("HTTP/1.1 429 "), "{refused}");
    assert!(refused.ends_with("\r\n\r\nlater"), "{refused}");
    // status { code: 7 }
    assert!(asked_by_grpc(b"\x0a\x02\x08\x07").await.starts_with("HTTP/1.1 403 "));
}

#[tokio::test]
async fn an_authority_by_grpc_is_told_what_is_spoken_and_every_field() {
    let (backend, authority) = (Backend::bind().await, Backend::bind().await);
    let lab = lab(&[&backend], Some(&authority), asks_by_grpc());
    // What is no text is told as far as it is one.
    say_by_grpc(authority, b"\x0a\x00", &[b"HTTP/2", b"caf\xc3\xa9", b"a\xef\xbf\xbdb"]);
    let request = Request::get(format!("http://{}/a", lab.address))
        .header("x-text", "caf\u{e9}")
        .header("x-bytes", HeaderValue::from_bytes(b"a\xffb").unwrap());
    let request = request.body(Full::default().boxed()).unwrap();
    let mut client = client(&lab).await;
    let passes = async {
        let mut stream = backend.accept().await;
        read_until(&mut stream, "\r\n\r\n").await;
        answer(stream, "200 OK").await;
    };
    let (answer, ()) = tokio::join!(client.send_request(request), passes);
    assert_eq!(answer.unwrap().status(), 200);
}
