use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;
use crate::identity::ca::Authority;

fn identity(account: &str) -> Arc<SpiffeId> {
    Arc::new(SpiffeId::new("cluster.local", "default", account))
}

fn credentials(authority: &Authority, account: &str) -> Credentials {
    authority.credentials(&identity(account), Duration::from_hours(1)).unwrap()
}

async fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dialling = TcpStream::connect(listener.local_addr().unwrap());
    let (dialled, accepted) = tokio::join!(dialling, listener.accept());
    (dialled.unwrap(), accepted.unwrap().0)
}

#[tokio::test]
async fn both_sides_know_each_other_and_bytes_arrive() {
    let authority = Authority::ephemeral("cluster.local").unwrap();
    let (ours, theirs) = (credentials(&authority, "client"), credentials(&authority, "server"));
    let (near, far) = sockets().await;
    let expected = [identity("server")];
    let (dialled, accepted) = tokio::join!(connect(near, &ours, &expected), accept(far, &theirs));
    let ((mut near, server), (mut far, client)) = (dialled.unwrap(), accepted.unwrap());
    assert_eq!((server.identity, client.identity), (identity("server"), identity("client")));
    let sent: Vec<u8> = (0..=255).cycle().take(3 << 20).collect();
    let mut received = Vec::new();
    let sending = async {
        far.write_all(&sent).await.unwrap();
        far.shutdown().await.unwrap();
    };
    let (read, ()) = tokio::join!(near.read_to_end(&mut received), sending);
    read.unwrap();
    assert!(received == sent);
}

#[tokio::test]
async fn a_stranger_is_told_from_a_failure() {
    let authority = Authority::ephemeral("cluster.local").unwrap();
    let (ours, theirs) = (credentials(&authority, "client"), credentials(&authority, "server"));
    let (near, far) = sockets().await;
    let expected = [identity("other")];
    let (dialled, accepted) = tokio::join!(connect(near, &ours, &expected), accept(far, &theirs));
    assert!(matches!(dialled, Err(Error::Identity(_))), "{:?}", dialled.err());
    assert!(matches!(accepted, Err(Error::Tls(_))), "{:?}", accepted.err());
    let stranger = credentials(&Authority::ephemeral("cluster.local").unwrap(), "server");
    let (near, far) = sockets().await;
    let expected = [identity("server")];
    let (dialled, _) = tokio::join!(connect(near, &ours, &expected), accept(far, &stranger));
    assert!(matches!(dialled, Err(Error::Tls(_))), "{:?}", dialled.err());
}

#[tokio::test]
async fn who_says_nothing_is_not_waited_for() {
    let authority = Authority::ephemeral("cluster.local").unwrap();
    let ours = credentials(&authority, "client");
    let (near, far) = sockets().await;
    tokio::time::pause();
    let before = tokio::time::Instant::now();
    assert!(matches!(accept(near, &ours).await, Err(Error::Tls(_))));
    assert!(matches!(connect(far, &ours, &[]).await, Err(Error::Tls(_))));
    assert!(before.elapsed() <= 2 * HANDSHAKE_TIMEOUT + Duration::from_secs(1));
}
