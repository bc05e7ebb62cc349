//! The bytes of a connection of HTTP/2, whatever carries them.
//!
//! **Invariant:** a connection on which nothing happens holds no memory for what may come.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::io::AsyncWrite as _;

use crate::http2;

use super::{inlet::Inlet, stream::Stream};

/// What carries a connection of HTTP/2.
#[derive(Debug)]
pub(super) struct Framed {
    stream: Stream,
    inlet: Inlet,
}

impl Framed {
    /// On a stream of which nothing was read, or what was read is told elsewhere.
    pub(super) fn new(stream: Stream) -> Self {
        Self { stream, inlet: Inlet::default() }
    }
}

impl http2::Io for Framed {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        ready!(self.inlet.poll_fill(&mut self.stream, cx))?;
        Poll::Ready(Ok(std::mem::take(&mut self.inlet.input)))
    }

    fn poll_send(
        &mut self,
        queue: &mut VecDeque<Bytes>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream.poll_send(queue, cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn rest(&mut self) {
        self.inlet.rest();
    }
}
