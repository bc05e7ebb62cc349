use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::fixture::{Server, dial, run, until};
use crate::{
    hbone::{Connect, Error, Pool, Refusal, Settings},
    telemetry::{metrics::Registry, task},
};

#[test]
fn each_refusal_has_its_status() {
    run(async {
        let (mut server, pool) = (Server::start().await, Pool::default());
        let (key, connect) = (server.key(), Connect::to_address(server.address));
        let refusals =
            [(Refusal::NotHere, 400), (Refusal::Denied, 401), (Refusal::Unavailable, 503)];
        for (refusal, expected) in refusals {
            let opening = pool.open(&key, &connect, dial(server.address));
            let (opened, ()) = tokio::join!(opening, async {
                server.asked.recv().await.unwrap().refuse(refusal);
            });
            assert!(matches!(opened, Err(Error::Refused(status)) if status == expected));
        }
        assert_eq!(server.accepted.get(), 1);
    });
}

/// A client that speaks HTTP/2 and not HBONE.
async fn client(server: &Server) -> h2::client::SendRequest<Bytes> {
    let socket = TcpStream::connect(server.address).await.unwrap();
    let (sender, connection) = h2::client::handshake(socket).await.unwrap();
    task::spawn_local("client", connection);
    sender
}

#[test]
fn what_is_no_connect_is_answered_and_counted() {
    run(async {
        let registry = Registry::new();
        let mut server = Server::with(Settings::new(&registry)).await;
        let mut sender = client(&server).await;
        for (method, uri) in [
            (Method::GET, "http://10.0.0.1:80/"),
            (Method::CONNECT, "10.0.0.1:0"),
            (Method::CONNECT, "user@10.0.0.1:80"),
            (Method::CONNECT, "shop"),
        ] {
            let request = Request::builder().method(method).uri(uri).body(()).unwrap();
            let (response, _) = sender.send_request(request, true).unwrap();
            assert_eq!(response.await.unwrap().status(), 400, "{uri}");
        }
        assert!(server.asked.try_recv().is_err());
        let line = "waypoint_limit_hits_total{limit=\"hbone_bad_requests\"} 4";
        assert!(registry.encode().contains(line));
    });
}

#[test]
fn heads_that_are_too_long_are_refused() {
    run(async {
        let mut server = Server::start().await;
        let mut sender = client(&server).await;
        let long = "x".repeat(16 * 1024);
        let mut request = Request::builder().method(Method::CONNECT).uri("10.0.0.1:80");
        for name in ["a", "b", "c", "d", "e"] {
            request = request.header(name, &long);
        }
        let (response, _) = sender.send_request(request.body(()).unwrap(), false).unwrap();
        assert_eq!(response.await.unwrap().status(), 431);
        assert!(server.asked.try_recv().is_err());
    });
}

#[test]
fn more_streams_than_allowed_are_refused_unseen() {
    run(async {
        let settings = Settings { accepted_streams_max: 1, ..Settings::default() };
        let mut server = Server::with(settings).await;
        let mut sender = client(&server).await;
        let request = || {
            let request = Request::builder().method(Method::CONNECT).uri("10.0.0.1:80");
            request.body(()).unwrap()
        };
        // Both leave before the peer's settings come.
        let (_first, _open) = sender.send_request(request(), false).unwrap();
        let second = sender.send_request(request(), false);
        if let Ok((second, _open)) = second {
            let refused = second.await.unwrap_err();
            assert_eq!(refused.reason(), Some(h2::Reason::REFUSED_STREAM));
        }
        server.asked.recv().await.unwrap();
        assert!(server.asked.try_recv().is_err());
    });
}

#[test]
fn a_peer_that_opens_and_resets_without_end_is_cut_and_counted() {
    run(async {
        let registry = Registry::new();
        let server = Server::with(Settings::new(&registry)).await;
        let mut sender = client(&server).await;
        loop {
            let request = Request::builder().method(Method::CONNECT).uri("10.0.0.1:80");
            let Ok(mut ready) = sender.ready().await else { break };
            let asked = ready.send_request(request.body(()).unwrap(), false);
            let Ok((_response, mut stream)) = asked else { break };
            stream.send_reset(h2::Reason::CANCEL);
            sender = ready;
            tokio::task::yield_now().await;
        }
        until("the server gave up", || server.ended.borrow().len() == 1).await;
        assert!(matches!(server.ended.borrow()[0], Err(Error::Http2(_))));
        let line = "waypoint_limit_hits_total{limit=\"hbone_floods\"} 1";
        assert!(registry.encode().contains(line));
    });
}

#[test]
fn a_stream_that_is_given_up_before_its_answer_is_known_to_be() {
    run(async {
        let (mut server, pool) = (Server::start().await, Pool::default());
        let (key, connect) = (server.key(), Connect::to_address(server.address));
        let mut opening = Box::pin(pool.open(&key, &connect, dial(server.address)));
        let mut incoming = tokio::select! {
            _ = &mut opening => panic!("nobody granted it"),
            incoming = server.asked.recv() => incoming.unwrap(),
        };
        drop(opening);
        incoming.abandoned().await;
        assert!(pool.connections() == 1);
    });
}

/// A peer that begins HTTP/2, and then says nothing more.
async fn mute() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    task::spawn_local("mute", async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
        let mut sink = [0; 1024];
        while socket.read(&mut sink).await.is_ok_and(|read| read > 0) {}
    });
    address
}

#[test]
fn a_peer_that_is_dead_is_noticed_by_both_sides() {
    run(async {
        let pool = Pool::default();
        let address = mute().await;
        let key = super::fixture::key_to(address);
        let connect = Connect::to_address(address);
        let mut opening = Box::pin(pool.open(&key, &connect, dial(address)));
        let waiting = tokio::time::timeout(Duration::from_millis(100), &mut opening).await;
        assert!(waiting.is_err());
        let server = Server::start().await;
        let mut silent = TcpStream::connect(server.address).await.unwrap();
        silent.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
        until("the server begins", || server.accepted.get() == 1).await;
        let mut first = [0; 9];
        silent.read_exact(&mut first).await.unwrap();
        tokio::time::pause();
        let before = tokio::time::Instant::now();
        let opened = opening.await;
        assert!(matches!(opened, Err(Error::Http2(_) | Error::Dead)), "{opened:?}");
        until("the server gave up", || server.ended.borrow().len() == 1).await;
        assert!(matches!(server.ended.borrow()[0], Err(Error::Dead)));
        assert!(before.elapsed() < Duration::from_secs(31));
    });
}
