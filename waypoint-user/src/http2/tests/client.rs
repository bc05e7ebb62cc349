//! Our client's side, with a server of `h2` and with our own.

use std::future::poll_fn;

use http::{Response, StatusCode};
use tokio::task::{LocalSet, spawn_local};

use super::*;
use crate::http2::{Broken, Question, Reason, Receiving, Sender, Sending, Unsent};

/// A client, and a server of `h2`.
async fn pair() -> (Sender, h2::server::Connection<DuplexStream, Bytes>) {
    let (ours, theirs) = tokio::io::duplex(100_000);
    let (mut connection, sender) = Connection::client(Memory(ours), LIMITS);
    spawn_local(async move { poll_fn(|cx| connection.poll_drive(cx)).await });
    let mut server = h2::server::Builder::new();
    server.max_concurrent_streams(2);
    (sender, server.handshake(theirs).await.unwrap())
}

fn ask(sender: &Sender, method: &Method, ends: bool) -> Result<(Sending, Receiving), Unsent> {
    let headers = HeaderMap::from_iter([(HeaderName::from_static("x-a"), 1.into())]);
    let question = Question {
        method,
        scheme: Some("http"),
        authority: "shop",
        path: Some("/cart?x=1"),
        protocol: None,
        headers: &headers,
    };
    sender.ask(&question, ends)
}

/// All of a body.
async fn collect(receiving: &mut Receiving) -> Result<(usize, HeaderMap), Broken> {
    let (mut bytes, mut trailers) = (0, HeaderMap::new());
    while let Some(piece) = poll_fn(|cx| receiving.poll_piece(cx)).await {
        match piece? {
            Piece::Data(piece) => bytes += piece.len(),
            Piece::Trailers(fields) => trailers = fields,
        }
    }
    Ok((bytes, trailers))
}

/// Answers with as much as comes, and trailers.
async fn answer(mut body: h2::RecvStream, mut respond: h2::server::SendResponse<Bytes>) {
    let mut bytes = 0;
    while let Some(piece) = body.data().await {
        let len = piece.unwrap().len();
        body.flow_control().release_capacity(len).unwrap();
        bytes += len;
    }
    let mut reply = respond.send_response(Response::new(()), false).unwrap();
    reply.send_data(vec![b'y'; bytes].into(), false).unwrap();
    let trailers = HeaderMap::from_iter([(HeaderName::from_static("x-sum"), 7.into())]);
    reply.send_trailers(trailers).unwrap();
}

#[tokio::test]
async fn a_request_and_its_response_pass_with_their_bodies() {
    const BYTES: usize = 2 * 1024 * 1024;
    let exchange = async {
        let (sender, mut server) = pair().await;
        let serving = spawn_local(async move {
            while let Some(Ok((request, respond))) = server.accept().await {
                assert_eq!(request.uri().to_string(), "http://shop/cart?x=1");
                assert_eq!(request.headers()["x-a"], "1");
                spawn_local(answer(request.into_body(), respond));
            }
        });
        let (mut sending, mut receiving) = ask(&sender, &Method::POST, false).unwrap();
        let mut body = Bytes::from(vec![b'x'; BYTES]);
        poll_fn(|cx| sending.poll_send(&mut body, true, cx)).await.unwrap();
        let head = poll_fn(|cx| receiving.poll_response(cx)).await.unwrap();
        assert_eq!(head.status, StatusCode::OK);
        let (bytes, trailers) = collect(&mut receiving).await.unwrap();
        assert_eq!((bytes, trailers["x-sum"].to_str().unwrap()), (BYTES, "7"));
        drop((sending, receiving));
        assert_eq!(sender.streams(), 0);
        // Nobody may open streams any more, and so the connection ends.
        drop(sender);
        serving.await.unwrap();
    };
    LocalSet::new().run_until(exchange).await;
}

#[tokio::test]
async fn no_more_streams_are_opened_than_the_peer_takes() {
    let exchange = async {
        let (sender, mut server) = pair().await;
        let accepting = spawn_local(async move {
            drop(server.accept().await);
            server
        });
        poll_fn(|cx| sender.poll_told(cx)).await;
        assert_eq!(sender.streams_max(), 2);
        assert!(!sender.takes_changes());
        let first = ask(&sender, &Method::GET, true).unwrap();
        let _second = ask(&sender, &Method::GET, true).unwrap();
        assert_eq!(ask(&sender, &Method::GET, true).err(), Some(Unsent::Full));
        drop(first);
        assert!(ask(&sender, &Method::GET, true).is_ok());
        drop(accepting.await.unwrap());
    };
    LocalSet::new().run_until(exchange).await;
}

#[tokio::test]
async fn a_server_that_goes_away_ends_what_it_took_and_refuses_the_rest() {
    let exchange = async {
        let (sender, mut server) = pair().await;
        let (_sending, mut receiving) = ask(&sender, &Method::GET, true).unwrap();
        let (_, mut respond) = server.accept().await.unwrap().unwrap();
        server.graceful_shutdown();
        spawn_local(async move { while server.accept().await.is_some() {} });
        while sender.is_open() {
            tokio::task::yield_now().await;
        }
        assert_eq!(ask(&sender, &Method::GET, true).err(), Some(Unsent::Closed));
        respond.send_response(Response::new(()), true).unwrap();
        let head = poll_fn(|cx| receiving.poll_response(cx)).await.unwrap();
        assert_eq!(head.status, StatusCode::OK);
        assert_eq!(collect(&mut receiving).await.unwrap().0, 0);
    };
    LocalSet::new().run_until(exchange).await;
}

#[tokio::test]
async fn a_stream_that_is_refused_says_so() {
    let exchange = async {
        let (sender, mut server) = pair().await;
        let (_sending, mut receiving) = ask(&sender, &Method::GET, true).unwrap();
        let (_, mut respond) = server.accept().await.unwrap().unwrap();
        respond.send_reset(h2::Reason::REFUSED_STREAM);
        spawn_local(async move { while server.accept().await.is_some() {} });
        let refused = poll_fn(|cx| receiving.poll_response(cx)).await;
        assert_eq!(refused.err(), Some(Broken::Refused));
    };
    LocalSet::new().run_until(exchange).await;
}

#[tokio::test]
async fn a_response_that_is_let_go_is_reset() {
    let exchange = async {
        let (sender, mut server) = pair().await;
        let (sending, mut receiving) = ask(&sender, &Method::GET, true).unwrap();
        let (_, mut respond) = server.accept().await.unwrap().unwrap();
        let mut reply = respond.send_response(Response::new(()), false).unwrap();
        spawn_local(async move { while server.accept().await.is_some() {} });
        poll_fn(|cx| receiving.poll_response(cx)).await.unwrap();
        drop((sending, receiving));
        let reason = poll_fn(|cx| reply.poll_reset(cx)).await.unwrap();
        assert_eq!(reason, h2::Reason::CANCEL);
    };
    LocalSet::new().run_until(exchange).await;
}

/// Two sides of ours.
fn both() -> (Sender, Connection<Memory>) {
    let (ours, theirs) = tokio::io::duplex(1000);
    let (mut connection, sender) = Connection::client(Memory(ours), LIMITS);
    spawn_local(async move { poll_fn(|cx| connection.poll_drive(cx)).await });
    (sender, Connection::server(Memory(theirs), LIMITS))
}

async fn accept(server: &mut Connection<Memory>) -> Accepted {
    poll_fn(|cx| server.poll_accept(cx)).await.unwrap()
}

#[tokio::test]
async fn what_comes_before_a_response_is_told() {
    let exchange = async {
        let (sender, mut server) = both();
        let (_sending, mut receiving) = ask(&sender, &Method::GET, true).unwrap();
        let Accepted { body, mut reply, .. } = accept(&mut server).await;
        body.hint(StatusCode::EARLY_HINTS, &HeaderMap::new());
        reply.respond(StatusCode::OK, &HeaderMap::new(), true).unwrap();
        body.hint(StatusCode::EARLY_HINTS, &HeaderMap::new());
        spawn_local(async move { poll_fn(|cx| server.poll_accept(cx)).await.is_none() });
        for status in [StatusCode::EARLY_HINTS, StatusCode::OK] {
            let head = poll_fn(|cx| receiving.poll_response(cx)).await.unwrap();
            assert_eq!(head.status, status);
        }
    };
    LocalSet::new().run_until(exchange).await;
}

#[tokio::test]
async fn an_extended_connect_is_a_stream_of_bytes() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let exchange = async {
        let (sender, mut server) = both();
        let headers = HeaderMap::new();
        let question = Question {
            method: &Method::CONNECT,
            scheme: Some("http"),
            authority: "shop",
            path: Some("/chat"),
            protocol: Some("websocket"),
            headers: &headers,
        };
        poll_fn(|cx| match server.poll_accept(cx) {
            Poll::Ready(_) => Poll::Ready(()),
            Poll::Pending => sender.poll_told(cx),
        })
        .await;
        assert!(sender.takes_changes());
        let (sending, mut receiving) = sender.ask(&question, false).unwrap();
        let Accepted { head, body, mut reply } = accept(&mut server).await;
        assert_eq!(head.unwrap().protocol.unwrap(), "websocket");
        spawn_local(async move { poll_fn(|cx| server.poll_accept(cx)).await.is_none() });
        reply.respond(StatusCode::OK, &HeaderMap::new(), false).unwrap();
        spawn_local(async move {
            let (mut read, mut write) = tokio::io::split(crate::http2::Pipe::new(body, reply));
            tokio::io::copy(&mut read, &mut write).await.unwrap();
            write.shutdown().await.unwrap();
        });
        poll_fn(|cx| receiving.poll_response(cx)).await.unwrap();
        let mut pipe = crate::http2::Pipe::new(receiving, sending);
        pipe.write_all(b"hello").await.unwrap();
        pipe.shutdown().await.unwrap();
        let mut told = String::new();
        pipe.read_to_string(&mut told).await.unwrap();
        assert_eq!(told, "hello");
    };
    LocalSet::new().run_until(exchange).await;
}

/// A client's side that is driven by hand, whose server is bytes.
fn by_hand() -> (Script, Connection<Script>, Sender) {
    let script = Script::default();
    let (connection, sender) = Connection::client(script.clone(), LIMITS);
    let mut bytes = BytesMut::new();
    put_settings(&[], &mut bytes);
    script.input.borrow_mut().push_back(bytes.freeze());
    (script, connection, sender)
}

/// How a response goes that begins so.
fn fate(method: &Method, frames: &[BytesMut]) -> Result<(StatusCode, usize), Broken> {
    let (script, mut connection, sender) = by_hand();
    let (_sending, mut receiving) = ask(&sender, method, true).unwrap();
    script.input.borrow_mut().push_back(frames.concat().into());
    assert!(connection.poll_drive(&mut context()).is_pending() || connection.failed().is_some());
    let mut head = loop {
        match receiving.poll_response(&mut context()) {
            Poll::Ready(head) if head.as_ref().is_ok_and(|head| head.status.is_informational()) => {
            }
            Poll::Ready(head) => break head?,
            Poll::Pending => panic!("no response"),
        }
    };
    let mut bytes = 0;
    loop {
        match receiving.poll_piece(&mut context()) {
            Poll::Ready(None) => return Ok((std::mem::take(&mut head.status), bytes)),
            Poll::Ready(Some(Ok(Piece::Data(piece)))) => bytes += piece.len(),
            Poll::Ready(Some(Ok(Piece::Trailers(_)))) => {}
            Poll::Ready(Some(Err(broken))) => return Err(broken),
            Poll::Pending => panic!("no end"),
        }
    }
}

#[test]
fn responses_are_as_long_as_they_say() {
    let get = Method::GET;
    let told = |flags| headers(1, END_HEADERS | flags, b"\x88\x0f\x0d\x013");
    let malformed = Err(Broken::Malformed(Reason::PROTOCOL_ERROR));
    assert_eq!(fate(&get, &[told(0), body(1, b"abc", true)]), Ok((StatusCode::OK, 3)));
    assert_eq!(fate(&get, &[told(0), body(1, b"ab", true)]), malformed);
    assert_eq!(fate(&get, &[told(0), body(1, b"abcd", true)]), malformed);
    assert_eq!(fate(&get, &[told(END_STREAM)]), malformed);
    assert_eq!(fate(&Method::HEAD, &[told(END_STREAM)]), Ok((StatusCode::OK, 0)));
    assert_eq!(fate(&Method::HEAD, &[told(0), body(1, b"abc", true)]), malformed);
}

#[test]
fn responses_that_are_none_are_malformed() {
    let malformed = Err(Broken::Malformed(Reason::PROTOCOL_ERROR));
    for frames in [
        // A body before the head; no status; a path; 101; an interim response that ends.
        vec![body(1, b"abc", true)],
        vec![headers(1, END_HEADERS | END_STREAM, b"\x00\x03x-a\x01b")],
        vec![headers(1, END_HEADERS | END_STREAM, b"\x88\x84")],
        vec![headers(1, END_HEADERS, b"\x08\x03101")],
        vec![headers(1, END_HEADERS | END_STREAM, b"\x08\x03103")],
        // More before the response than anybody needs.
        vec![headers(1, END_HEADERS, b"\x08\x03103"); 20],
    ] {
        assert_eq!(fate(&Method::GET, &frames), malformed, "{frames:?}");
    }
    let push = frame(crate::http2::frame::PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\x02\x82");
    assert_eq!(fate(&Method::GET, &[push]), malformed);
    let unasked = headers(3, END_HEADERS | END_STREAM, b"\x88");
    assert_eq!(fate(&Method::GET, &[unasked]), malformed);
}

#[test]
fn nothing_is_asked_on_a_connection_that_sends_nothing() {
    let script = Script::default();
    script.stuck.set(true);
    let (mut connection, sender) = Connection::client(script.clone(), LIMITS);
    let mut asked = Vec::new();
    while !sender.is_choked() {
        assert!(asked.len() < 100_000, "what waits has no bound");
        asked.push(ask(&sender, &Method::GET, true).unwrap());
        let _ = connection.poll_drive(&mut context());
    }
    assert_eq!(ask(&sender, &Method::GET, true).err(), Some(Unsent::Full));
    script.stuck.set(false);
    let _ = connection.poll_drive(&mut context());
    assert!(ask(&sender, &Method::GET, true).is_ok());
}
