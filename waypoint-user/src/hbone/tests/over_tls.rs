use std::{net::SocketAddr, rc::Rc, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

use super::fixture::{key_to, run};
use crate::{
    hbone::{Connect, Error, Io, Live, Pool, Settings, Stream, serve, tls},
    identity::{Credentials, ca::Authority},
    mesh::spiffe::SpiffeId,
    telemetry::task,
};

fn credentials(authority: &Authority, account: &str) -> Arc<Credentials> {
    let identity = Arc::new(SpiffeId::new("cluster.local", "default", account));
    Arc::new(authority.credentials(&identity, Duration::from_hours(1)).unwrap())
}

/// A server that echoes, behind TLS.
async fn start(credentials: Arc<Credentials>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    task::spawn_local("server", async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            socket.set_nodelay(true).unwrap();
            let credentials = Arc::clone(&credentials);
            task::spawn_local("connection", async move {
                let (stream, peer) = tls::accept(socket, &credentials).await.unwrap();
                assert_eq!(peer.identity.service_account, "client");
                let each = |incoming: crate::hbone::Incoming| {
                    task::spawn_local("echo", echo(incoming.accept().unwrap()));
                };
                serve(stream, &Settings::default(), CancellationToken::new(), each).await
            });
        }
    });
    address
}

async fn echo(stream: Stream) {
    let (mut read, mut write) = tokio::io::split(stream);
    if tokio::io::copy(&mut read, &mut write).await.is_ok() {
        drop(write.shutdown().await);
    }
}

/// Dials by TLS; what is dialled can be cut.
async fn dial(
    address: SocketAddr,
    credentials: Arc<Credentials>,
    live: Rc<Live>,
) -> Result<Box<dyn Io>, Error> {
    let socket = TcpStream::connect(address).await.unwrap();
    socket.set_nodelay(true).unwrap();
    let expected = key_to(address).expected;
    let (stream, peer) = tls::connect(socket, &credentials, &expected).await?;
    Ok(Box::new(live.watch(stream, peer)))
}

#[test]
fn streams_run_over_tls_until_their_peer_is_unwanted() {
    run(async {
        let authority = Authority::ephemeral("cluster.local").unwrap();
        let address = start(credentials(&authority, "server")).await;
        let (ours, live) = (credentials(&authority, "client"), Rc::<Live>::default());
        let (pool, key) = (Pool::default(), key_to(address));
        let connect = Connect::to_address(address);
        let dial = || dial(address, Arc::clone(&ours), Rc::clone(&live));
        let sent: Vec<u8> = (0..=255).cycle().take(5 << 20).collect();
        let stream = pool.open(&key, &connect, dial()).await.unwrap();
        let (mut read, mut write) = tokio::io::split(stream);
        let mut received = Vec::new();
        let (all, ()) = tokio::join!(read.read_to_end(&mut received), async {
            write.write_all(&sent).await.unwrap();
            write.shutdown().await.unwrap();
        });
        all.unwrap();
        assert!(received == sent);
        let mut stream = pool.open(&key, &connect, dial()).await.unwrap();
        assert_eq!(live.cut(|peer| peer.identity.service_account == "other"), 0);
        stream.write_all(b"still").await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b's');
        assert_eq!(live.cut(|peer| peer.identity.service_account == "server"), 1);
        assert!(stream.read_to_end(&mut received).await.is_err());
        // The next takes a new connection.
        let mut stream = pool.open(&key, &connect, dial()).await.unwrap();
        stream.write_all(b"again").await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'a');
        assert_eq!(pool.connections(), 1);
    });
}

#[test]
fn another_peer_gets_no_stream() {
    run(async {
        let authority = Authority::ephemeral("cluster.local").unwrap();
        let address = start(credentials(&authority, "impostor")).await;
        let (ours, live) = (credentials(&authority, "client"), Rc::<Live>::default());
        let (pool, connect) = (Pool::default(), Connect::to_address(address));
        let opened = pool.open(&key_to(address), &connect, dial(address, ours, live)).await;
        assert!(matches!(opened, Err(Error::Identity(_))), "{opened:?}");
        assert_eq!(pool.connections(), 0);
    });
}
