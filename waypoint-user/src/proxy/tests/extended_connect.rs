//! Changes of protocol over HTTP/2 (RFC 8441).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use h2::{RecvStream, SendStream, client, ext::Protocol, server};
use http::{HeaderMap, Method, Request, Response};
use sha1::{Digest as _, Sha1};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::lab::{Backend, Lab, PATIENCE, read_to_end, read_until};
use crate::{mesh::service::AppProtocol, proxy::Drained, telemetry::task};

/// What the key of RFC 6455 section 1.3 is asked with, and what has to be answered.
const ASK: &str = "GET /chat HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\n\
    upgrade: websocket\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A client of HTTP/2 that knows what it may ask.
async fn client(lab: &Lab) -> client::SendRequest<Bytes> {
    let (sender, connection) = client::handshake(lab.connect().await).await.unwrap();
    task::spawn("http2 client", connection);
    let until = tokio::time::Instant::now() + PATIENCE;
    while !sender.is_extended_connect_protocol_enabled() {
        assert!(tokio::time::Instant::now() < until, "it is not announced");
        tokio::task::yield_now().await;
    }
    sender
}

/// Asks for a protocol.
async fn ask(
    client: &mut client::SendRequest<Bytes>,
    protocol: Option<&'static str>,
) -> (Response<RecvStream>, SendStream<Bytes>) {
    let mut request = Request::new(());
    *request.method_mut() = Method::CONNECT;
    *request.uri_mut() = match protocol {
        Some(protocol) => {
            request.extensions_mut().insert(Protocol::from(protocol));
            "http://shop/chat?q=1".parse().unwrap()
        }
        None => "shop:80".parse().unwrap(),
    };
    let (answer, sending) = client.send_request(request, false).unwrap();
    (timeout(PATIENCE, answer).await.expect("no answer").unwrap(), sending)
}

/// What a stream brings until this much came, or to its end.
async fn read(stream: &mut RecvStream, bytes: usize) -> String {
    let mut all = Vec::new();
    while all.len() < bytes {
        let Some(piece) = timeout(PATIENCE, stream.data()).await.expect("nothing comes") else {
            break;
        };
        let piece = piece.unwrap();
        stream.flow_control().release_capacity(piece.len()).unwrap();
        all.extend(piece);
    }
    String::from_utf8(all).unwrap()
}

/// The answer of an endpoint of HTTP/1 that has read the head.
fn grant(head: &str) -> String {
    let key = head.lines().find_map(|line| line.strip_prefix("sec-websocket-key: ")).unwrap();
    let guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    let accept = STANDARD.encode(Sha1::digest(format!("{key}{guid}")));
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-accept: {accept}\r\nsec-websocket-protocol: chat\r\n\r\n"
    )
}

/// An endpoint of HTTP/2: the next request on a connection, which goes on.
async fn accept(
    stream: TcpStream,
    takes_changes: bool,
) -> Option<(Request<RecvStream>, server::SendResponse<Bytes>)> {
    let mut builder = server::Builder::new();
    if takes_changes {
        builder.enable_connect_protocol();
    }
    let mut connection = builder.handshake(stream).await.unwrap();
    let accepted = timeout(PATIENCE, connection.accept()).await.ok()??.unwrap();
    task::spawn("http2 endpoint", async move { while connection.accept().await.is_some() {} });
    Some(accepted)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_over_http_2_reaches_an_endpoint_of_http_1() {
    let backend = Backend::bind().await;
    let lab = Lab::start(&[backend.address()], AppProtocol::Detect);
    let mut client = client(&lab).await;
    let endpoint = async {
        let mut upstream = backend.accept().await;
        let head = read_until(&mut upstream, "\r\n\r\n").await;
        assert!(head.starts_with("GET /chat?q=1 HTTP/1.1\r\n"), "{head}");
        for field in ["connection: upgrade\r\n", "upgrade: websocket\r\n", "host: shop\r\n"] {
            assert!(head.contains(field), "no {field:?} in {head}");
        }
        upstream.write_all((grant(&head) + "first").as_bytes()).await.unwrap();
        upstream
    };
    let ((answer, mut sending), mut upstream) =
        tokio::join!(ask(&mut client, Some("websocket")), endpoint);
    assert_eq!(answer.status(), 200);
    let headers: &HeaderMap = answer.headers();
    assert_eq!(headers["sec-websocket-protocol"], "chat");
    for none in ["connection", "upgrade", "sec-websocket-accept"] {
        assert!(!headers.contains_key(none), "{none} in {headers:?}");
    }
    let mut coming = answer.into_body();
    assert_eq!(read(&mut coming, 5).await, "first");
    sending.send_data(Bytes::from_static(b"ping"), false).unwrap();
    read_until(&mut upstream, "ping").await;
    sending.send_data(Bytes::new(), true).unwrap();
    assert_eq!(read_to_end(&mut upstream).await, "");
    upstream.write_all(b"last").await.unwrap();
    drop(upstream);
    assert_eq!(read(&mut coming, usize::MAX).await, "last");
    let line = lab.line(1).await;
    assert_eq!((&line["response_code"], &line["response_flags"]), (&101.into(), &"-".into()));
    assert_eq!((&line["method"], &line["protocol"]), (&"GET".into(), &"HTTP/2".into()));
    assert_eq!((&line["bytes_received"], &line["bytes_sent"]), (&4.into(), &9.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_endpoint_does_not_grant_is_not_granted() {
    let backend = Backend::bind().await;
    let lab = Lab::start(&[backend.address()], AppProtocol::Detect);
    let mut client = client(&lab).await;
    let wrong = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                 sec-websocket-accept: wrong\r\n\r\n";
    let page = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nno";
    let refusal = "HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno";
    let cases = [(wrong, 502, "UPE"), (page, 502, "UPE"), (refusal, 403, "-")];
    for (number, (told, status, flag)) in (1..).zip(cases) {
        let endpoint = async {
            let mut upstream = backend.accept().await;
            read_until(&mut upstream, "\r\n\r\n").await;
            upstream.write_all(told.as_bytes()).await.unwrap();
            upstream
        };
        let ((answer, _), _) = tokio::join!(ask(&mut client, Some("websocket")), endpoint);
        assert_eq!(answer.status(), status, "{told}");
        let text = read(&mut answer.into_body(), usize::MAX).await;
        assert_eq!(text == "no", status == 403, "{text}");
        assert_eq!(lab.line(number).await["response_flags"], flag, "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connect_without_a_protocol_and_http_2_within_http_2_are_refused() {
    let backend = Backend::bind().await;
    let lab = Lab::start(&[backend.address()], AppProtocol::Detect);
    let mut client = client(&lab).await;
    for (number, protocol) in [(1, None), (2, Some("h2c"))] {
        let (answer, _) = ask(&mut client, protocol).await;
        assert_eq!(answer.status(), 405, "{protocol:?}");
        assert_eq!(lab.line(number).await["method"], "CONNECT");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_over_http_1_reaches_an_endpoint_of_http_2() {
    let backend = Backend::bind().await;
    let lab = Lab::start(&[backend.address()], AppProtocol::Http2);
    let mut client = lab.connect().await;
    client.write_all(ASK.as_bytes()).await.unwrap();
    let (request, mut respond) = accept(backend.accept().await, true).await.unwrap();
    assert_eq!(request.method(), Method::CONNECT);
    assert_eq!(request.extensions().get::<Protocol>().unwrap().as_str(), "websocket");
    assert_eq!(request.uri().to_string(), "http://a/chat");
    assert!(!request.headers().contains_key("sec-websocket-key"));
    let mut coming = request.into_body();
    let mut sending = respond.send_response(Response::new(()), false).unwrap();
    let head = read_until(&mut client, "\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{head}");
    for field in ["connection: upgrade", "upgrade: websocket", "sec-websocket-accept: "] {
        assert!(head.contains(&format!("\r\n{field}")), "no {field:?} in {head}");
    }
    assert!(head.contains(ACCEPT), "{head}");
    client.write_all(b"ping").await.unwrap();
    assert_eq!(read(&mut coming, 4).await, "ping");
    client.shutdown().await.unwrap();
    assert_eq!(read(&mut coming, 1).await, "");
    sending.send_data(Bytes::from_static(b"last"), true).unwrap();
    assert_eq!(read_to_end(&mut client).await, "last");
    let line = lab.line(1).await;
    assert_eq!((&line["response_code"], &line["response_flags"]), (&101.into(), &"-".into()));
    assert_eq!((&line["bytes_received"], &line["bytes_sent"]), (&4.into(), &4.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_of_http_2_that_takes_no_changes_is_asked_by_http_1() {
    let backend = Backend::bind().await;
    let lab = Lab::start(&[backend.address()], AppProtocol::Http2);
    let mut client = lab.connect().await;
    client.write_all(ASK.as_bytes()).await.unwrap();
    let first = backend.accept().await;
    task::spawn("http2 endpoint", async move { accept(first, false).await.is_none() });
    let mut upstream = backend.accept().await;
    let head = read_until(&mut upstream, "\r\n\r\n").await;
    upstream.write_all((grant(&head) + "first").as_bytes()).await.unwrap();
    let granted = read_until(&mut client, "first").await;
    assert!(granted.contains(ACCEPT), "{granted}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_passes_from_http_2_to_http_2_and_outlives_the_beginning_of_a_drain() {
    let backend = Backend::bind().await;
    let lab = Lab::start(&[backend.address()], AppProtocol::Http2);
    let mut client = client(&lab).await;
    let endpoint = async {
        let (request, mut respond) = accept(backend.accept().await, true).await.unwrap();
        let sending = respond.send_response(Response::new(()), false).unwrap();
        (request.into_body(), sending)
    };
    let ((answer, mut sending), (mut asked, mut answering)) =
        tokio::join!(ask(&mut client, Some("websocket")), endpoint);
    assert_eq!(answer.status(), 200);
    let mut coming = answer.into_body();
    let drained = task::spawn("drain", lab.engine.drain());
    for _ in 0..10 {
        sending.send_data(Bytes::from_static(b"ping"), false).unwrap();
        assert_eq!(read(&mut asked, 4).await, "ping");
        answering.send_data(Bytes::from_static(b"pong"), false).unwrap();
        assert_eq!(read(&mut coming, 4).await, "pong");
    }
    sending.send_data(Bytes::new(), true).unwrap();
    assert_eq!(read(&mut asked, 1).await, "");
    answering.send_data(Bytes::new(), true).unwrap();
    assert_eq!(read(&mut coming, 1).await, "");
    let Drained { finished, cut } = timeout(PATIENCE, drained).await.unwrap().unwrap();
    assert_eq!((finished, cut), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_resets_its_stream_ends_the_endpoint_s_side() {
    let backend = Backend::bind().await;
    let lab = Lab::start(&[backend.address()], AppProtocol::Detect);
    let mut client = client(&lab).await;
    let endpoint = async {
        let mut upstream = backend.accept().await;
        let head = read_until(&mut upstream, "\r\n\r\n").await;
        upstream.write_all(grant(&head).as_bytes()).await.unwrap();
        upstream
    };
    let ((answer, mut sending), mut upstream) =
        tokio::join!(ask(&mut client, Some("websocket")), endpoint);
    sending.send_reset(h2::Reason::INTERNAL_ERROR);
    drop(answer);
    let mut byte = [0];
    // An end or a reset, but no more bytes.
    assert!(!matches!(timeout(PATIENCE, upstream.read(&mut byte)).await.unwrap(), Ok(1..)));
    drop(upstream);
    assert_eq!(lab.line(1).await["response_flags"], "DC");
}
