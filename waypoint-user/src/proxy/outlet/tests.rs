use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Wake, Waker},
};

use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpStream},
};

use super::*;

#[derive(Default)]
struct Counted(AtomicUsize);

impl Wake for Counted {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

async fn pair() -> (Stream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    let dialled = TcpStream::connect(listener.local_addr().expect("an address")).await;
    let (accepted, _) = listener.accept().await.expect("a connection");
    (Stream::Tcp(dialled.expect("a connection")), accepted)
}

#[tokio::test]
async fn what_is_sent_waits_for_one_turn() {
    let (mut stream, mut other) = pair().await;
    poll_fn(|cx| match &stream {
        Stream::Tcp(tcp) => tcp.poll_write_ready(cx),
        Stream::Tunnel(_) => Poll::Pending,
    })
    .await
    .expect("room to write");
    let counted = Arc::new(Counted::default());
    let waker = Waker::from(Arc::clone(&counted));
    let mut cx = Context::from_waker(&waker);
    let mut outlet = Outlet::default();
    for round in 1..=2 {
        outlet.queue().extend([Bytes::from_static(b"to"), Bytes::from_static(b"gether")]);
        assert!(outlet.poll_send(&mut stream, &mut cx).is_pending());
        assert_eq!(counted.0.load(Ordering::Relaxed), round, "its turn comes again by itself");
        assert_eq!(outlet.waiting(), 8);
        assert!(matches!(outlet.poll_send(&mut stream, &mut cx), Poll::Ready(Ok(()))));
        assert!(outlet.is_empty());
        let mut came = [0; 8];
        other.read_exact(&mut came).await.expect("all of it");
        assert_eq!(&came, b"together");
    }
}

#[tokio::test]
async fn what_is_sent_last_waits_for_nobody() {
    let (mut stream, mut other) = pair().await;
    let mut outlet = Outlet::default();
    outlet.queue().push_back(Bytes::from_static(b"last"));
    let sent = poll_fn(|cx| outlet.poll_send_now(&mut stream, cx)).await;
    sent.expect("sent");
    let mut came = [0; 4];
    other.read_exact(&mut came).await.expect("all of it");
    assert_eq!(&came, b"last");
}
