//! What endpoints may do with an HTTP/2 connection.

use std::future::poll_fn;

use bytes::Bytes;
use h2::{Reason, RecvStream, server};
use http::{Request, Response, StatusCode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::lab::{Backend, Lab, PATIENCE, read_until};
use crate::{mesh::service::AppProtocol, telemetry::task};

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";

/// An engine before one endpoint, a client of HTTP/1, and the endpoint.
async fn start() -> (Lab, TcpStream, Backend) {
    let backend = Backend::bind().await;
    let lab = Lab::start(&[backend.address()], AppProtocol::Http2);
    let client = lab.connect().await;
    (lab, client, backend)
}

type Asked = (Request<RecvStream>, server::SendResponse<Bytes>);

/// The first request of a connection, which goes on behind it.
async fn accept(stream: TcpStream) -> Asked {
    let mut connection = server::handshake(stream).await.unwrap();
    let asked = timeout(PATIENCE, connection.accept()).await.expect("nothing is asked");
    task::spawn("http2 endpoint", async move { while connection.accept().await.is_some() {} });
    asked.unwrap().unwrap()
}

async fn read(body: &mut RecvStream, bytes: usize) -> String {
    let mut read = Vec::new();
    while read.len() < bytes {
        let piece = timeout(PATIENCE, body.data()).await.expect("nothing comes");
        read.extend_from_slice(&piece.expect("the end came").unwrap());
    }
    String::from_utf8(read).unwrap()
}

/// An endpoint byte by byte, which has agreed on HTTP/2.
struct Raw(TcpStream);

impl Raw {
    async fn accept(backend: &Backend) -> Self {
        let mut stream = backend.accept().await;
        stream.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
        let mut preface = [0; 24];
        stream.read_exact(&mut preface).await.unwrap();
        assert_eq!(preface, *b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        Self(stream)
    }

    /// The flags and the stream of the next frame of a kind.
    async fn next(&mut self, kind: u8) -> (u8, u32) {
        loop {
            let mut head = [0; 9];
            let read = timeout(PATIENCE, self.0.read_exact(&mut head));
            read.await.expect("nothing comes").unwrap();
            let len = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
            self.0.read_exact(&mut vec![0; len]).await.unwrap();
            if head[3] == kind {
                return (head[4], u32::from_be_bytes([head[5], head[6], head[7], head[8]]));
            }
        }
    }

    async fn write(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.0.write_all(&frame(kind, flags, stream, payload)).await.unwrap();
    }
}

pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&len[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_may_begin_before_the_request_has_ended() {
    let (lab, mut client, backend) = start().await;
    client.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\n\r\nabc").await.unwrap();
    let (request, mut respond) = accept(backend.accept().await).await;
    assert_eq!(request.headers()["content-length"], "6");
    let mut body = request.into_body();
    assert_eq!(read(&mut body, 3).await, "abc");
    let answer = Response::builder().header("content-length", "4").body(()).unwrap();
    let mut sending = respond.send_response(answer, false).unwrap();
    sending.send_data(Bytes::from_static(b"ab"), false).unwrap();
    read_until(&mut client, "\r\n\r\nab").await;
    client.write_all(b"def").await.unwrap();
    assert_eq!(read(&mut body, 3).await, "def");
    assert!(timeout(PATIENCE, body.data()).await.expect("no end").is_none());
    sending.send_data(Bytes::from_static(b"cd"), true).unwrap();
    read_until(&mut client, "cd").await;
    let line = lab.line(1).await;
    assert_eq!((&line["response_flags"], &line["bytes_received"]), (&"-".into(), &6.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_a_body_ends_with_its_head() {
    let (_lab, mut client, backend) = start().await;
    client.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    let (request, mut respond) = accept(backend.accept().await).await;
    assert_eq!(request.headers()["content-length"], "0");
    assert_eq!(request.uri().to_string(), "http://a/");
    assert!(request.body().is_end_stream());
    respond.send_response(Response::new(()), true).unwrap();
    let answer = read_until(&mut client, "\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_waits_until_the_endpoint_wants_it_and_hints_are_passed_on() {
    let (_lab, mut client, backend) = start().await;
    let head = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\nexpect: 100-continue\r\n\r\n";
    client.write_all(head.as_bytes()).await.unwrap();
    let (request, mut respond) = accept(backend.accept().await).await;
    assert_eq!(request.headers()["expect"], "100-continue");
    let hint = Response::builder().status(103).header("link", "</x>").body(()).unwrap();
    respond.send_informational(hint).unwrap();
    let told = read_until(&mut client, "\r\n\r\n").await;
    assert!(told.starts_with("HTTP/1.1 103 ") && told.contains("link: </x>"), "{told}");
    let leave = Response::builder().status(StatusCode::CONTINUE).body(()).unwrap();
    respond.send_informational(leave).unwrap();
    let told = read_until(&mut client, "\r\n\r\n").await;
    assert!(told.starts_with("HTTP/1.1 100 "), "{told}");
    client.write_all(b"abc").await.unwrap();
    assert_eq!(read(&mut request.into_body(), 3).await, "abc");
    respond.send_response(Response::new(()), true).unwrap();
    let answer = read_until(&mut client, "\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_wants_no_body_is_told_that_none_comes() {
    let (lab, mut client, backend) = start().await;
    let head = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\nexpect: 100-continue\r\n\r\n";
    client.write_all(head.as_bytes()).await.unwrap();
    let (_request, mut respond) = accept(backend.accept().await).await;
    let answer = Response::builder().status(417).body(()).unwrap();
    let mut sending = respond.send_response(answer, false).unwrap();
    let told = read_until(&mut client, "\r\n\r\n").await;
    assert!(told.starts_with("HTTP/1.1 417 "), "{told}");
    sending.send_data(Bytes::from_static(b"no"), true).unwrap();
    let reset = poll_fn(|cx| respond.poll_reset(cx));
    let reset = timeout(PATIENCE, reset).await.expect("the request goes on").unwrap();
    assert_eq!(reset, Reason::CANCEL);
    assert_eq!(lab.line(1).await["response_code"], 417);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_endpoint_refuses_is_asked_of_another() {
    let backends = [Backend::bind().await, Backend::bind().await];
    let lab = Lab::start(&[backends[0].address(), backends[1].address()], AppProtocol::Http2);
    let mut client = lab.connect().await;
    client.write_all(GET).await.unwrap();
    let [first, second] = &backends;
    let (refused, other) = tokio::select! {
        stream = first.accept() => (stream, second),
        stream = second.accept() => (stream, first),
    };
    let (_, mut respond) = accept(refused).await;
    respond.send_reset(Reason::REFUSED_STREAM);
    let (_, mut respond) = accept(other.accept().await).await;
    respond.send_response(Response::new(()), true).unwrap();
    let answer = read_until(&mut client, "\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_was_on_its_way_at_goaway_is_sent_over_another_connection() {
    let (lab, mut client, backend) = start().await;
    client.write_all(GET).await.unwrap();
    let mut first = Raw::accept(&backend).await;
    assert_eq!(first.next(HEADERS).await, (END_HEADERS | END_STREAM, 1));
    first.write(HEADERS, END_HEADERS | END_STREAM, 1, OK).await;
    read_until(&mut client, "\r\n\r\n").await;
    client.write_all(GET).await.unwrap();
    assert_eq!(first.next(HEADERS).await.1, 3);
    first.write(GOAWAY, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 0]).await;
    let mut second = Raw::accept(&backend).await;
    assert_eq!(second.next(HEADERS).await.1, 1);
    second.write(HEADERS, END_HEADERS | END_STREAM, 1, OK).await;
    let answer = read_until(&mut client, "\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(lab.line(2).await["response_flags"], "-");
    // Nothing is left on the first one, so it is closed.
    assert_eq!(timeout(PATIENCE, first.0.read(&mut [0])).await.expect("it stays").unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_ends_before_the_answer_is_told_as_such() {
    let (lab, mut client, backend) = start().await;
    client.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    let mut endpoint = Raw::accept(&backend).await;
    endpoint.next(HEADERS).await;
    drop(endpoint);
    let answer = read_until(&mut client, "\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert_eq!(lab.line(1).await["response_flags"], "UC");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_malformed_is_not_passed_on() {
    let upper = [OK, b"\x00\x01X\x01y"].concat();
    let of_connection = [OK, b"\x00\x0aconnection\x01y"].concat();
    let cases: [(u8, &[u8]); 6] = [
        (END_STREAM, &upper),
        (END_STREAM, &of_connection),
        // No status; and an index that means nothing, which ends the connection.
        (END_STREAM, b"\x00\x01x\x01y"),
        (END_STREAM, b"\xff\x7f"),
        // A response before the final one cannot end the stream: `:status: 103`.
        (END_STREAM, b"\x08\x03103"),
        (0, b"\x08\x03101"),
    ];
    for (flags, block) in cases {
        let (lab, mut client, backend) = start().await;
        client.write_all(GET).await.unwrap();
        let mut endpoint = Raw::accept(&backend).await;
        endpoint.next(HEADERS).await;
        endpoint.write(HEADERS, END_HEADERS | flags, 1, block).await;
        let answer = read_until(&mut client, "\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 502 "), "{block:?}: {answer}");
        assert_eq!(lab.line(1).await["response_flags"], "UPE");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_speaks_another_protocol_is_told_as_such() {
    let (lab, mut client, backend) = start().await;
    client.write_all(GET).await.unwrap();
    let mut endpoint = backend.accept().await;
    endpoint.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    let answer = read_until(&mut client, "\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    assert_eq!(lab.line(1).await["response_flags"], "UPE");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_before_the_answer_are_passed_on_within_a_limit() {
    for (count, status) in [(16, "HTTP/1.1 200 "), (17, "HTTP/1.1 502 ")] {
        let (_lab, mut client, backend) = start().await;
        client.write_all(GET).await.unwrap();
        let mut endpoint = Raw::accept(&backend).await;
        endpoint.next(HEADERS).await;
        for _ in 0..count {
            endpoint.write(HEADERS, END_HEADERS, 1, b"\x08\x03103").await;
            let hint = read_until(&mut client, "\r\n\r\n").await;
            if !hint.starts_with("HTTP/1.1 103 ") {
                assert!(hint.starts_with(status), "{hint}");
                break;
            }
        }
        if count == 16 {
            endpoint.write(HEADERS, END_HEADERS | END_STREAM, 1, OK).await;
            let answer = read_until(&mut client, "\r\n\r\n").await;
            assert!(answer.starts_with(status), "{answer}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_is_asked_on_a_connection_than_its_endpoint_takes() {
    let (lab, mut client, backend) = start().await;
    let mut other = lab.connect().await;
    let mut builder = server::Builder::new();
    builder.max_concurrent_streams(1);
    client.write_all(GET).await.unwrap();
    let mut first: server::Connection<_, Bytes> =
        builder.handshake(backend.accept().await).await.unwrap();
    let (_, mut respond) = timeout(PATIENCE, first.accept()).await.unwrap().unwrap().unwrap();
    task::spawn("http2 endpoint", async move { while first.accept().await.is_some() {} });
    other.write_all(GET).await.unwrap();
    let (_, mut beside) = accept(backend.accept().await).await;
    for (client, respond) in [(&mut client, &mut respond), (&mut other, &mut beside)] {
        respond.send_response(Response::new(()), true).unwrap();
        let answer = read_until(client, "\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_taken_only_as_far_as_the_endpoint_has_room() {
    let (_lab, mut client, backend) = start().await;
    let head = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 64000000\r\n\r\n";
    client.write_all(head.as_bytes()).await.unwrap();
    let (request, _respond) = accept(backend.accept().await).await;
    let piece = vec![b'w'; 16 * 1024];
    let mut sent = 0;
    // The client sends while there is room, and until there was none for a while.
    while let Ok(written) =
        timeout(std::time::Duration::from_millis(300), client.write(&piece)).await
    {
        sent += written.unwrap();
        assert!(sent < 32_000_000, "everything is taken");
    }
    let mut body = request.into_body();
    let mut read = 0;
    while read < sent {
        let piece = timeout(PATIENCE, body.data()).await.expect("nothing comes");
        let piece = piece.unwrap().unwrap();
        body.flow_control().release_capacity(piece.len()).unwrap();
        read += piece.len();
    }
    assert_eq!(read, sent);
}

/// `:status: 200`.
const OK: &[u8] = b"\x88";

pub(super) const HEADERS: u8 = 1;
pub(super) const SETTINGS: u8 = 4;
pub(super) const GOAWAY: u8 = 7;
pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;
