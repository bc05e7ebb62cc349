use std::time::Duration;

use tokio::net::TcpListener;

use super::*;
use crate::proxy::OwnNetwork;

/// A connection that we opened, and one that was accepted.
async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let dialled = connect(address, &Vantage::Own, &OwnNetwork::default()).await.unwrap();
    let (accepted, _) = listener.accept().await.unwrap();
    prepare(&accepted).unwrap();
    (dialled, accepted)
}

#[tokio::test]
async fn the_kernel_soon_asks_whether_an_endpoint_is_there() {
    let (dialled, accepted) = pair().await;
    let (ours, theirs) = (SockRef::from(&dialled), SockRef::from(&accepted));
    assert!(ours.keepalive().unwrap() && theirs.keepalive().unwrap());
    assert!(dialled.nodelay().unwrap() && accepted.nodelay().unwrap());
    assert_eq!(ours.tcp_keepalive_time().unwrap(), DIALLED_KEEPALIVE_AFTER);
    assert_eq!(ours.tcp_keepalive_interval().unwrap(), DIALLED_KEEPALIVE_EVERY);
    assert_eq!(ours.tcp_keepalive_retries().unwrap(), DIALLED_KEEPALIVE_PROBES);
    let noticed = DIALLED_KEEPALIVE_AFTER + DIALLED_KEEPALIVE_EVERY * DIALLED_KEEPALIVE_PROBES;
    assert_eq!(noticed, Duration::from_secs(30));
    assert_eq!(theirs.tcp_keepalive_time().unwrap(), KEEPALIVE_AFTER);
}

#[tokio::test]
async fn only_connections_that_carry_more_than_one_request_break_when_there_is_no_room() {
    let (dialled, accepted) = pair().await;
    let limit = |stream: &TcpStream| SockRef::from(stream).tcp_user_timeout().unwrap();
    assert_eq!((limit(&dialled), limit(&accepted)), (None, None));
    break_unacknowledged(&dialled);
    assert_eq!(limit(&dialled), Some(HTTP2_UNACKNOWLEDGED_TIMEOUT));
}
