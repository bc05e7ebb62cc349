use std::{future::poll_fn, io::ErrorKind, rc::Rc};

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::fixture::{Server, dial, run, until};
use crate::{
    hbone::{
        Authority, Baggage, Connect, Forwarded, Pool, Stream,
        limits::{CONNECTION_WINDOW_BYTES_MAX, SEND_BUFFER_BYTES, STREAM_WINDOW_BYTES},
        trace,
    },
    mesh::spiffe::SpiffeId,
    telemetry::task,
};

async fn read(stream: &mut Stream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await.unwrap();
    bytes
}

async fn taken(stream: &mut Stream) -> Option<std::io::Result<Bytes>> {
    poll_fn(|cx| stream.poll_bytes(cx)).await
}

async fn wrote(stream: &mut Stream, bytes: &mut Bytes) -> std::io::Result<usize> {
    poll_fn(|cx| stream.poll_write_bytes(cx, bytes)).await
}

#[test]
fn the_head_arrives_as_it_was_sent() {
    run(async {
        let mut server = Server::start().await;
        let identity = SpiffeId::new("cluster.local", "default", "curl");
        let connect = Connect {
            authority: Authority::Host("shop.default.svc.cluster.local".to_owned(), 80),
            forwarded: Some(Forwarded {
                client: "[fd00::1]:1234".parse().unwrap(),
                host: Some("shop.default.svc.cluster.local".to_owned()),
            }),
            baggage: Baggage { cluster: Some("ä, b".to_owned()), ..Baggage::default() },
            traceparent: Some(trace::fresh()),
            client: Some(identity.clone().into()),
            source: Some(identity.into()),
            via: Some("waypoint".to_owned()),
        };
        let (pool, key) = (Pool::default(), server.key());
        let opening = pool.open(&key, &connect, dial(server.address));
        let granting = async {
            let incoming = server.asked.recv().await.unwrap();
            assert_eq!(incoming.connect, connect);
            incoming.accept().unwrap()
        };
        let (opened, _granted) = tokio::join!(opening, granting);
        opened.unwrap();
    });
}

#[test]
fn each_direction_ends_by_itself() {
    run(async {
        let (mut server, pool) = (Server::start().await, Pool::default());
        for client_first in [true, false] {
            let (client, granted) = server.pair(&pool).await;
            let (mut first, mut second) =
                if client_first { (client, granted) } else { (granted, client) };
            first.write_all(b"question").await.unwrap();
            first.shutdown().await.unwrap();
            let mut all = Vec::new();
            second.read_to_end(&mut all).await.unwrap();
            assert_eq!(all, b"question");
            second.write_all(b"answer after the end").await.unwrap();
            assert_eq!(read(&mut first, 20).await, b"answer after the end");
            second.shutdown().await.unwrap();
            assert!(taken(&mut first).await.is_none());
            assert!(first.write_all(b"more").await.is_err());
        }
    });
}

#[test]
fn a_reset_ends_both_directions() {
    run(async {
        let (mut server, pool) = (Server::start().await, Pool::default());
        for (client_first, by_drop) in [(true, true), (true, false), (false, true), (false, false)]
        {
            let (client, granted) = server.pair(&pool).await;
            let (mut first, mut second) =
                if client_first { (client, granted) } else { (granted, client) };
            if !by_drop {
                first.reset();
                assert_eq!(
                    taken(&mut first).await.unwrap().unwrap_err().kind(),
                    ErrorKind::ConnectionAborted
                );
            }
            drop(first);
            assert_eq!(
                taken(&mut second).await.unwrap().unwrap_err().kind(),
                ErrorKind::ConnectionReset
            );
            let wrote = second.write_all(b"into the void").await;
            assert_eq!(wrote.unwrap_err().kind(), ErrorKind::ConnectionReset);
        }
    });
}

#[test]
fn what_was_sent_before_the_end_arrives_though_the_sender_is_gone() {
    run(async {
        let (mut server, pool) = (Server::start().await, Pool::default());
        let (mut client, mut granted) = server.pair(&pool).await;
        granted.write_all(&vec![7; 200_000]).await.unwrap();
        granted.shutdown().await.unwrap();
        drop(granted);
        let mut all = Vec::new();
        client.read_to_end(&mut all).await.unwrap();
        assert_eq!(all.len(), 200_000);
        // And the server wants no more of what the client sends.
        let refused = loop {
            if let Err(cause) = client.write_all(&[0; 1024]).await {
                break cause;
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(refused.kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn waiting_to_read_takes_nothing() {
    run(async {
        let (mut server, pool) = (Server::start().await, Pool::default());
        let (mut client, mut granted) = server.pair(&pool).await;
        let mut readable = Box::pin(poll_fn(|cx| client.poll_readable(cx)));
        assert!(futures_util::poll!(&mut readable).is_pending());
        granted.write_all(b"first").await.unwrap();
        readable.await;
        poll_fn(|cx| client.poll_readable(cx)).await;
        assert_eq!(read(&mut client, 2).await, b"fi");
        assert_eq!(taken(&mut client).await.unwrap().unwrap(), "rst");
        drop(granted);
        poll_fn(|cx| client.poll_readable(cx)).await;
    });
}

#[test]
fn a_reader_that_stops_bounds_what_its_sender_can_push() {
    run(async {
        for client_writes in [true, false] {
            let (mut server, pool) = (Server::start().await, Pool::default());
            let (client, granted) = server.pair(&pool).await;
            let (mut writer, mut reader) =
                if client_writes { (client, granted) } else { (granted, client) };
            let pushed = Rc::new(std::cell::Cell::new(0_usize));
            let counted = Rc::clone(&pushed);
            let writing = task::spawn_local("writer", async move {
                let piece = Bytes::from(vec![1; 64 * 1024]);
                while counted.get() < 8 << 20 {
                    let written = wrote(&mut writer, &mut piece.clone()).await.unwrap();
                    counted.set(counted.get() + written);
                }
                writer.shutdown().await.unwrap();
                // To let go now would take back what is still on its way.
                drop(taken(&mut writer).await);
            });
            let bound = STREAM_WINDOW_BYTES as usize + SEND_BUFFER_BYTES;
            let mut before = usize::MAX;
            while before != pushed.get() {
                before = pushed.get();
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            assert!((1..=bound).contains(&pushed.get()), "{} of {bound}", pushed.get());
            // Another stream of the connection is not held back.
            let (mut other, mut its_peer) = server.pair(&pool).await;
            other.write_all(b"through").await.unwrap();
            assert_eq!(read(&mut its_peer, 7).await, b"through");
            assert_eq!(server.accepted.get(), 1);
            // And it goes on where it is read again.
            let mut read = 0;
            while let Some(bytes) = taken(&mut reader).await {
                read += bytes.unwrap().len();
            }
            assert!(read >= 8 << 20);
            drop(reader);
            writing.await.unwrap();
        }
    });
}

#[test]
fn windows_grow_only_so_far() {
    run(async {
        let (mut server, pool) = (Server::start().await, Pool::default());
        let (mut client, mut granted) = server.pair(&pool).await;
        // Read as fast as possible, for many round trips; then stop.
        let writing = task::spawn_local("writer", async move {
            let piece = Bytes::from(vec![1; 256 * 1024]);
            for _ in 0..1000 {
                let mut rest = piece.clone();
                while !rest.is_empty() {
                    wrote(&mut client, &mut rest).await.unwrap();
                }
            }
            client
        });
        let mut read = 0;
        while read < 1000 * 256 * 1024 {
            read += taken(&mut granted).await.unwrap().unwrap().len();
        }
        let mut client = writing.await.unwrap();
        let mut pushed = 0;
        let mut chunk = Bytes::from(vec![0; 64 << 20]);
        let waiting = std::time::Duration::from_millis(100);
        while let Ok(written) = tokio::time::timeout(waiting, wrote(&mut client, &mut chunk)).await
        {
            pushed += written.unwrap();
        }
        let bound = CONNECTION_WINDOW_BYTES_MAX as usize / 4 + SEND_BUFFER_BYTES;
        assert!(pushed <= bound, "{pushed} of {bound}");
    });
}

async fn echo(mut stream: Stream) {
    while let Some(Ok(mut bytes)) = taken(&mut stream).await {
        wrote(&mut stream, &mut bytes).await.unwrap();
    }
    drop(stream.shutdown().await);
}

#[test]
fn ten_thousand_streams_at_once_take_a_hundred_connections() {
    run(async {
        let (mut server, pool) = (Server::start().await, Rc::new(Pool::default()));
        let (key, address) = (server.key(), server.address);
        let echo = task::spawn_local("echo", async move {
            while let Some(incoming) = server.asked.recv().await {
                task::spawn_local("echo", echo(incoming.accept().unwrap()));
            }
        });
        let mut opening = Vec::new();
        for number in 0..10_000_u32 {
            let (pool, key) = (Rc::clone(&pool), key.clone());
            opening.push(task::spawn_local("client", async move {
                let connect = Connect::to_address(address);
                let mut stream = pool.open(&key, &connect, dial(address)).await.unwrap();
                stream.write_all(&number.to_be_bytes()).await.unwrap();
                (number, stream)
            }));
        }
        let mut streams = Vec::new();
        for one in opening {
            streams.push(one.await.unwrap());
        }
        assert_eq!(pool.connections(), 100);
        for (number, stream) in &mut streams {
            assert_eq!(read(stream, 4).await, number.to_be_bytes());
            stream.shutdown().await.unwrap();
            assert!(taken(stream).await.is_none());
        }
        drop(streams);
        pool.close_idle(std::time::Duration::ZERO);
        until("all are closed", || pool.connections() == 0).await;
        echo.abort();
    });
}
