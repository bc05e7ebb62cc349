use std::{cell::Cell, rc::Rc, time::Duration};

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::fixture::{Server, dial, key_to, run, until};
use crate::{
    hbone::{Connect, Error, Pool, Settings, Stream},
    telemetry::task,
};

/// Opens so many streams at once.
async fn open(pool: &Pool, server: &Server, count: usize) -> Vec<Result<Stream, Error>> {
    let (key, connect) = (server.key(), Connect::to_address(server.address));
    join_all((0..count).map(|_| pool.open(&key, &connect, dial(server.address)))).await
}

/// Grants all streams, and keeps them.
fn grant_all(server: &mut Server) -> Rc<Cell<usize>> {
    let (_, never) = tokio::sync::mpsc::unbounded_channel();
    let mut asked = std::mem::replace(&mut server.asked, never);
    let granted = Rc::<Cell<usize>>::default();
    let counted = Rc::clone(&granted);
    task::spawn_local("granting", async move {
        let mut kept = Vec::new();
        while let Some(incoming) = asked.recv().await {
            counted.set(counted.get() + 1);
            kept.push(incoming.accept());
        }
    });
    granted
}

#[test]
fn a_thousand_at_once_make_as_few_connections_as_can_be() {
    run(async {
        let mut server = Server::start().await;
        let granted = grant_all(&mut server);
        let pool = Pool::default();
        let streams = open(&pool, &server, 1000).await;
        assert!(streams.iter().all(Result::is_ok));
        assert_eq!((pool.connections(), server.accepted.get(), granted.get()), (10, 10, 1000));
        // The next finds no room, and one that is given back is used again.
        let more = open(&pool, &server, 1).await;
        assert_eq!(pool.connections(), 11);
        drop(more);
        drop(open(&pool, &server, 100).await);
        assert_eq!(server.accepted.get(), 11);
    });
}

#[test]
fn a_peer_that_allows_less_gets_less() {
    run(async {
        let settings = Settings { accepted_streams_max: 10, ..Settings::default() };
        let mut server = Server::with(settings).await;
        grant_all(&mut server);
        let pool = Pool::default();
        let streams = open(&pool, &server, 95).await;
        for stream in &streams {
            assert!(stream.is_ok(), "{stream:?}");
        }
        assert_eq!(pool.connections(), 10);
    });
}

#[test]
fn a_failure_is_shared_and_not_kept() {
    run(async {
        let mut server = Server::start().await;
        grant_all(&mut server);
        let (pool, dials) = (Pool::default(), Rc::<Cell<usize>>::default());
        let (key, connect) = (server.key(), Connect::to_address(server.address));
        let gate = Rc::new(tokio::sync::Notify::new());
        let failing = || {
            let (dials, gate) = (Rc::clone(&dials), Rc::clone(&gate));
            async move {
                dials.set(dials.get() + 1);
                gate.notified().await;
                Err(Error::Connect("no route".to_owned()))
            }
        };
        let opening = join_all((0..50).map(|_| pool.open(&key, &connect, failing())));
        let failing = until("one dials", || dials.get() > 0);
        let (opening, ()) = tokio::join!(opening, async {
            failing.await;
            gate.notify_waiters();
        });
        assert!(opening.iter().all(|one| matches!(one, Err(Error::Connect(_)))));
        assert_eq!(dials.get(), 1);
        assert!(open(&pool, &server, 1).await[0].is_ok());
    });
}

#[test]
fn whoever_dials_may_go_away() {
    run(async {
        let mut server = Server::start().await;
        grant_all(&mut server);
        let pool = Pool::default();
        let (key, connect) = (server.key(), Connect::to_address(server.address));
        let (go, wait) = tokio::sync::oneshot::channel::<()>();
        let address = server.address;
        let mut first = Box::pin(pool.open(&key, &connect, async move {
            wait.await.unwrap();
            dial(address).await
        }));
        assert!(futures_util::poll!(&mut first).is_pending());
        let mut second = Box::pin(pool.open(&key, &connect, dial(address)));
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(first);
        go.send(()).unwrap();
        second.await.unwrap();
        // And where nobody is left, the next begins anew.
        let never = std::future::pending::<Result<Box<dyn crate::hbone::Io>, Error>>();
        let other = key_to("127.0.0.1:1".parse().unwrap());
        let mut stuck = Box::pin(pool.open(&other, &connect, never));
        assert!(futures_util::poll!(&mut stuck).is_pending());
        drop(stuck);
        pool.open(&other, &connect, dial(address)).await.unwrap();
    });
}

#[test]
fn draining_lets_streams_end_and_new_ones_go_elsewhere() {
    run(async {
        let (mut old, pool) = (Server::start().await, Pool::default());
        let (mut client, mut granted) = old.pair(&pool).await;
        old.drain.cancel();
        granted.write_all(b"still here").await.unwrap();
        let mut bytes = [0; 10];
        client.read_exact(&mut bytes).await.unwrap();
        // The same key leads to another connection as soon as GOAWAY came.
        let mut new = Server::start().await;
        grant_all(&mut new);
        let (key, connect) = (old.key(), Connect::to_address(old.address));
        while new.accepted.get() == 0 {
            let opening = pool.open(&key, &connect, dial(new.address));
            match tokio::time::timeout(Duration::from_millis(50), opening).await {
                Ok(opened) => drop(opened.unwrap()),
                Err(_) => while old.asked.try_recv().is_ok() {},
            }
        }
        client.write_all(b"to the end").await.unwrap();
        client.shutdown().await.unwrap();
        let mut all = Vec::new();
        granted.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, b"to the end");
        granted.shutdown().await.unwrap();
        assert_eq!(client.read(&mut bytes).await.unwrap(), 0);
        until("the old connection ended", || old.ended.borrow().len() == 1).await;
        assert!(old.ended.borrow()[0].is_ok(), "{:?}", old.ended.borrow());
    });
}

#[test]
fn a_stream_is_opened_again_where_its_connection_died_before_an_answer() {
    run(async {
        let (mut server, pool) = (Server::start().await, Pool::default());
        // A peer that accepts one stream, and then dies with the next unanswered.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let dying = task::spawn_local("dying", async move {
            let (socket, _) = listener.accept().await.unwrap();
            let mut connection = h2::server::handshake(socket).await.unwrap();
            let (_request, mut respond) = connection.accept().await.unwrap().unwrap();
            let _stream = respond.send_response(http::Response::new(()), false).unwrap();
            let _unanswered = connection.accept().await.unwrap().unwrap();
        });
        let (key, connect) = (key_to(address), Connect::to_address(address));
        let _first = pool.open(&key, &connect, dial(address)).await.unwrap();
        let opening = pool.open(&key, &connect, dial(server.address));
        let (again, _granted) = tokio::join!(opening, server.granted());
        again.unwrap();
        dying.await.unwrap();
    });
}

#[test]
fn eviction_resets_streams_and_keeps_others() {
    run(async {
        let (mut server, pool) = (Server::start().await, Pool::default());
        let (mut client, mut granted) = server.pair(&pool).await;
        pool.evict(|_| true);
        client.write_all(b"kept").await.unwrap();
        pool.evict(|key| &*key.workload != "cluster//Pod/default/server");
        assert_eq!(pool.connections(), 0);
        let mut bytes = Vec::new();
        assert!(client.read_to_end(&mut bytes).await.is_err());
        assert!(granted.read_to_end(&mut bytes).await.is_err());
        // What is being dialled or asked for is given up too.
        let (key, connect) = (server.key(), Connect::to_address(server.address));
        let mut opening = Box::pin(pool.open(&key, &connect, dial(server.address)));
        tokio::select! {
            _ = &mut opening => panic!("nobody granted it"),
            asked = server.asked.recv() => {
                pool.evict(|_| false);
                let opened = opening.await;
                assert!(matches!(opened, Err(Error::Evicted)), "{opened:?}");
                drop(asked);
            }
        }
    });
}

#[test]
fn eviction_reaches_streams_of_a_connection_that_drains() {
    run(async {
        let (mut server, pool) = (Server::start().await, Pool::default());
        let (mut client, mut granted) = server.pair(&pool).await;
        server.drain.cancel();
        // Until GOAWAY has come, streams are still opened there.
        let other = Server::start().await;
        let (key, connect) = (server.key(), Connect::to_address(server.address));
        let mut opening = Vec::new();
        while other.accepted.get() == 0 {
            let mut one = Box::pin(pool.open(&key, &connect, dial(other.address)));
            assert!(futures_util::poll!(&mut one).is_pending());
            opening.push(one);
            tokio::task::yield_now().await;
        }
        pool.close_idle(Duration::ZERO);
        client.write_all(b"kept").await.unwrap();
        pool.evict(|_| false);
        let mut bytes = Vec::new();
        assert!(client.read_to_end(&mut bytes).await.is_err());
        assert!(granted.read_to_end(&mut bytes).await.is_err());
    });
}

#[test]
fn unused_connections_are_closed() {
    run(async {
        let (mut server, pool) = (Server::start().await, Pool::default());
        let (client, granted) = server.pair(&pool).await;
        pool.close_idle(Duration::ZERO);
        assert_eq!(pool.connections(), 1);
        drop((client, granted));
        pool.close_idle(Duration::from_mins(5));
        assert_eq!(pool.connections(), 1);
        pool.close_idle(Duration::ZERO);
        assert_eq!(pool.connections(), 0);
        until("the server sees its end", || server.ended.borrow().len() == 1).await;
        assert!(server.ended.borrow()[0].is_ok());
    });
}

#[test]
fn no_more_connections_than_there_may_be() {
    run(async {
        let settings = Settings { streams_max: 1, connections_max: 2, ..Settings::default() };
        let (mut server, pool) = (Server::start().await, Pool::new(settings));
        let first = server.pair(&pool).await;
        let _second = server.pair(&pool).await;
        assert!(matches!(open(&pool, &server, 1).await[0], Err(Error::Full)));
        drop(first);
        let other = key_to("127.0.0.1:1".parse().unwrap());
        let connect = Connect::to_address(server.address);
        let opening = pool.open(&other, &connect, dial(server.address));
        let (third, _granted) = tokio::join!(opening, server.granted());
        third.unwrap();
        assert_eq!(pool.connections(), 2);
    });
}
