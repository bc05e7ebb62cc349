//! Connections on streams of bytes.

use std::{future::poll_fn, time::Duration};

use http::StatusCode;
use tokio::{
    io::AsyncReadExt,
    task::{LocalSet, spawn_local},
};

use super::*;
use crate::http2::{Carried, Question};

/// A stream that keeps what is written until it is flushed, as TLS may.
struct Holding {
    stream: DuplexStream,
    held: BytesMut,
    /// How many pieces were written at once, at most.
    slices: Rc<Cell<usize>>,
}

impl AsyncRead for Holding {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Holding {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[io::IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.slices.set(self.slices.get().max(slices.len()));
        let before = self.held.len();
        for slice in slices {
            self.held.put_slice(slice);
        }
        Poll::Ready(Ok(self.held.len() - before))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, held, .. } = &mut *self;
        while !held.is_empty() {
            let sent = ready!(Pin::new(&mut *stream).poll_write(cx, held))?;
            held.advance(sent);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Asks for a body over streams that hold what is written, and are small.
async fn ask(bytes: usize) -> usize {
    let (ours, theirs) = tokio::io::duplex(1000);
    let slices = Rc::new(Cell::new(0));
    let holding = |stream| {
        let slices = Rc::clone(&slices);
        Carried::new(Holding { stream, held: BytesMut::new(), slices })
    };
    let mut server = Connection::server(holding(theirs), LIMITS);
    spawn_local(async move {
        while let Some(mut accepted) = poll_fn(|cx| server.poll_accept(cx)).await {
            spawn_local(async move {
                accepted.reply.respond(StatusCode::OK, &HeaderMap::new(), false).unwrap();
                let mut piece = Bytes::from(vec![b'x'; bytes]);
                poll_fn(|cx| accepted.reply.poll_send(&mut piece, true, cx)).await.unwrap();
            });
        }
    });
    let (mut client, sender) = Connection::client(holding(ours), LIMITS);
    spawn_local(async move { poll_fn(|cx| client.poll_drive(cx)).await });
    let headers = HeaderMap::new();
    let question = Question {
        method: &Method::GET,
        scheme: Some("http"),
        authority: "shop",
        path: Some("/"),
        protocol: None,
        headers: &headers,
    };
    let (_sending, mut receiving) = sender.ask(&question, true).unwrap();
    let mut received = 0;
    while let Some(piece) = poll_fn(|cx| receiving.poll_bytes(usize::MAX, cx)).await {
        received += piece.unwrap().len();
    }
    assert_eq!(received, bytes);
    slices.get()
}

#[tokio::test]
async fn what_a_stream_holds_is_sent_on_though_nothing_follows_it() {
    let asking = async { ask(200_000).await };
    let slices = LocalSet::new().run_until(asking).await;
    assert!(slices > 1, "heads and payloads left apart");
}

#[tokio::test]
async fn the_end_of_a_connection_is_the_end_of_its_stream() {
    let (ours, mut theirs) = tokio::io::duplex(1000);
    let (mut client, sender) = Connection::client(Carried::new(ours), LIMITS);
    drop(sender);
    poll_fn(|cx| client.poll_drive(cx)).await;
    let reading = async {
        let mut all = Vec::new();
        theirs.read_to_end(&mut all).await.unwrap();
        drop(theirs);
        assert!(all.starts_with(PREFACE));
    };
    tokio::join!(client.close(Duration::MAX), reading);
}

#[test]
fn a_connection_whose_streams_are_silent_keeps_nothing_of_what_came() {
    let mut bench = Bench::new();
    let ask = bench.ask(1, "/", false);
    bench.feed(&ask);
    let came = Bytes::from(frame(super::super::frame::PING, 0, 0, b"12345678").to_vec());
    bench.script.input.borrow_mut().push_back(came.clone());
    bench.drive();
    assert!(came.is_unique());
}
