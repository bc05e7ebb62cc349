//! A stream of bytes, whatever carries it.
//!
//! **Invariant:** every kind forwards vectored writes, so that heads and bodies leave together.

use std::{
    collections::VecDeque,
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use crate::hbone;

use super::socket;

/// A connection from a client or to an endpoint.
#[derive(Debug)]
pub(super) enum Stream {
    /// TCP.
    Tcp(TcpStream),
    /// A stream of HBONE.
    Tunnel(hbone::Stream),
}

impl Stream {
    /// Waits until there is something to read, or the end.
    pub(super) async fn readable(&mut self) {
        match self {
            // An error is found again by whoever reads.
            Self::Tcp(stream) => drop(stream.readable().await),
            Self::Tunnel(stream) => poll_fn(|cx| stream.poll_readable(cx)).await,
        }
    }

    /// Sends from the front of a queue as much as there is room for, at least one byte.
    pub(super) fn poll_send(
        &mut self,
        queue: &mut VecDeque<Bytes>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => {
                let mut slices = [io::IoSlice::new(&[]); SLICES_MAX];
                let len = queue.len().min(SLICES_MAX);
                for (slice, bytes) in slices.iter_mut().zip(&*queue) {
                    *slice = io::IoSlice::new(bytes);
                }
                let slices = slices.get(..len).unwrap_or_default();
                let sent = ready!(Pin::new(stream).poll_write_vectored(cx, slices))?;
                advance(queue, sent);
            }
            Self::Tunnel(stream) => {
                if let Some(bytes) = queue.front_mut() {
                    ready!(stream.poll_write_bytes(cx, bytes))?;
                }
                advance(queue, 0);
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Makes the connection end with a reset when it is dropped.
    pub(super) fn reset_on_drop(&mut self) {
        match self {
            Self::Tcp(stream) => {
                if let Err(cause) = stream.set_zero_linger() {
                    tracing::debug!(%cause, "a connection cannot be reset and will be closed");
                }
            }
            Self::Tunnel(stream) => stream.reset(),
        }
    }

    /// Makes the connection break once what was sent is not acknowledged for long; a tunnel looks
    /// after its connection itself.
    pub(super) fn break_unacknowledged(&self) {
        if let Self::Tcp(stream) = self {
            socket::break_unacknowledged(stream);
        }
    }

    /// Our address on it, if it has one.
    pub(super) fn local_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.local_addr().ok(),
            Self::Tunnel(_) => None,
        }
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

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tunnel(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tunnel(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Tunnel(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.is_write_vectored(),
            Self::Tunnel(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tunnel(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tunnel(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// Pieces that are sent at once.
const SLICES_MAX: usize = 16;
