//! A stream of bytes, whatever carries it.
//!
//! **Invariant:** every kind forwards vectored writes, so that heads and bodies leave together.

use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use crate::hbone;

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

    /// Our address on it, if it has one.
    pub(super) fn local_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.local_addr().ok(),
            Self::Tunnel(_) => None,
        }
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
