use std::{
    cell::Cell,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{DuplexStream, ReadBuf, duplex};

use super::*;

/// An endpoint that takes nothing more, and goes on to answer.
struct Sated(DuplexStream);

impl AsyncRead for Sated {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Sated {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Bytes that came back.
#[derive(Default)]
struct Back(Cell<u64>);

impl Count for Back {
    fn sent_on(&self, _: u64) {
        unreachable!("nothing is taken");
    }

    fn sent_back(&self, bytes: u64) {
        self.0.set(self.0.get() + bytes);
    }
}

#[tokio::test]
async fn what_comes_from_an_endpoint_that_takes_no_more_arrives() {
    const BYTES: usize = 100_000;
    let (mut client, mut ours) = duplex(1024);
    let (theirs, mut endpoint) = duplex(1024);
    let mut upstream = Sated(theirs);
    let back = Back::default();
    let copying = copy_both(&mut ours, &mut upstream, Bytes::from_static(b"more"), &back);
    let answering = async move { endpoint.write_all(&vec![b'x'; BYTES]).await };
    let reading = async {
        let mut all = Vec::new();
        client.read_to_end(&mut all).await.map(|_| all.len())
    };
    let (ended, answered, read) = tokio::join!(copying, answering, reading);
    answered.unwrap();
    assert_eq!((ended, read.unwrap(), back.0.get()), (Ended::Both, BYTES, BYTES as u64));
}
