//! The bytes of a connection of HTTP/2 on any stream of bytes.
//!
//! All connections of a thread read to the same memory, one after the other, and keep as much of
//! their own as has come.
//!
//! **Invariant:** a connection on which nothing happens holds no memory for what may come.
//! **Invariant:** heads and payloads leave together, where the stream takes several pieces at once.

use std::{
    cell::RefCell,
    collections::VecDeque,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Io;

/// A stream of bytes that carries a connection.
#[derive(Debug)]
pub struct Carried<T> {
    stream: T,
    /// Whether the stream itself may hold what was written.
    holds: bool,
}

impl<T> Carried<T> {
    /// On a stream of which nothing was read.
    pub fn new(stream: T) -> Self {
        Self { stream, holds: false }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Io for Carried<T> {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        SHARED.with_borrow_mut(|shared| {
            let mut buffer = ReadBuf::new(shared);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
            Poll::Ready(Ok(Bytes::copy_from_slice(buffer.filled())))
        })
    }

    fn poll_send(
        &mut self,
        queue: &mut VecDeque<Bytes>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let len = queue.len().min(SLICES_MAX);
        for (slice, bytes) in slices.iter_mut().zip(&*queue) {
            *slice = IoSlice::new(bytes);
        }
        let slices = slices.get(..len).unwrap_or_default();
        let sent = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, slices))?;
        if sent == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.holds = true;
        advance(queue, sent);
        Poll::Ready(Ok(()))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.holds {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.holds = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Takes bytes off the front of a queue, and empty pieces with them.
fn advance(queue: &mut VecDeque<Bytes>, mut bytes: usize) {
    while let Some(front) = queue.front_mut() {
        let taken = bytes.min(front.len());
        front.advance(taken);
        bytes -= taken;
        if !front.is_empty() {
            return;
        }
        queue.pop_front();
    }
}

thread_local! {
    /// Where all connections of a thread read to; what is in it never outlives one call.
    static SHARED: RefCell<Box<[u8]>> = RefCell::new(vec![0; SHARED_BYTES].into());
}

/// How much is read at once: four TLS records.
const SHARED_BYTES: usize = 64 * 1024;

/// Pieces that are written at once.
const SLICES_MAX: usize = 32;
