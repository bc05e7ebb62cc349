//! One tunnelled connection.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A byte stream over HTTP/2 DATA frames. Dropping it before both directions ended resets it.
#[derive(Debug)]
pub struct Stream(());

impl Stream {
    /// Takes what has come, without copying it; `None` at the end.
    pub fn poll_bytes(&mut self, _cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        unimplemented!()
    }

    /// Waits until there is something to take, or the end, without taking it.
    pub fn poll_readable(&mut self, _cx: &mut Context<'_>) -> Poll<()> {
        unimplemented!()
    }

    /// Ends both directions with a reset.
    pub fn reset(&mut self) {
        unimplemented!()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        _buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        unimplemented!()
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        _bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        unimplemented!()
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        unimplemented!()
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        unimplemented!()
    }
}
