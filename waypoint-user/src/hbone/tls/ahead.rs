//! Reads a socket in large pieces for rustls, which asks for 4 KiB at a time.
//!
//! **Invariant:** it holds no buffer while nothing waits to be read.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes of one read: four TLS records.
const READ_BYTES: usize = 64 * 1024;

thread_local! {
    /// Where this thread reads to; what is in it never outlives one call.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into_boxed_slice());
}

/// A stream that is read ahead.
#[derive(Debug)]
pub struct Ahead<T> {
    io: T,
    rest: Bytes,
}

impl<T> Ahead<T> {
    pub(super) fn new(io: T) -> Self {
        Self { io, rest: Bytes::new() }
    }

    /// What is read.
    pub fn get_ref(&self) -> &T {
        &self.io
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Ahead<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.rest.is_empty() {
            if buffer.remaining() >= READ_BYTES {
                return Pin::new(&mut self.io).poll_read(cx, buffer);
            }
            return SCRATCH.with_borrow_mut(|scratch| {
                let mut piece = ReadBuf::new(scratch);
                ready!(Pin::new(&mut self.io).poll_read(cx, &mut piece))?;
                let (now, later) = split(piece.filled(), buffer.remaining());
                buffer.put_slice(now);
                self.rest = Bytes::copy_from_slice(later);
                Poll::Ready(Ok(()))
            });
        }
        let taken = self.rest.len().min(buffer.remaining());
        buffer.put_slice(self.rest.get(..taken).unwrap_or_default());
        self.rest.advance(taken);
        if self.rest.is_empty() {
            self.rest = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

/// The first `room` bytes, and the others.
fn split(bytes: &[u8], room: usize) -> (&[u8], &[u8]) {
    bytes.split_at_checked(room).unwrap_or((bytes, &[]))
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Ahead<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
