use std::future::poll_fn;

use tokio::{io::AsyncWriteExt as _, net::TcpListener};

use super::*;
use crate::telemetry::task;

/// Both ends of a connection.
async fn pair() -> (Stream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dialled = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (Stream::Tcp(listener.accept().await.unwrap().0), dialled)
}

#[tokio::test]
async fn a_short_message_behind_a_long_one_keeps_no_more_memory_than_it_needs() {
    const BYTES: usize = 8 * 1024 * 1024;
    let (mut stream, mut peer) = pair().await;
    let mut inlet = Inlet::default();
    let sending = task::spawn("long body", async move {
        peer.write_all(&vec![b'x'; BYTES]).await.unwrap();
        peer
    });
    let mut left = BYTES;
    while left > 0 {
        left -= poll_fn(|cx| inlet.poll_fill(&mut stream, cx)).await.unwrap();
        inlet.input = Bytes::new();
    }
    let mut peer = sending.await.unwrap();
    inlet.read_bytes = HTTP1_BUFFER_BYTES;
    for _ in 0..3 {
        peer.write_all(&[b'y'; 100]).await.unwrap();
        assert_eq!(poll_fn(|cx| inlet.poll_fill(&mut stream, cx)).await.unwrap(), 100);
        let short = std::mem::take(&mut inlet.input);
        assert_eq!(short, [b'y'; 100][..]);
        assert!(short.try_into_mut().is_ok_and(|short| short.capacity() < 1000));
    }
}
