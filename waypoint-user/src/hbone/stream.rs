//! One tunnelled connection.
//!
//! **Invariant:** flow control is given back for bytes that the caller took, and for no others.
//! **Invariant:** what waits to be sent was written within the peer's window, and is at most
//! [`SEND_BUFFER_BYTES`](super::limits::SEND_BUFFER_BYTES) for all streams of a connection.

use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::pool::Lease;
use crate::http2::{Broken, Reason, Receiving, Sending};

/// A byte stream over HTTP/2 DATA frames. Dropping it before both directions ended resets it. What
/// was written and was not read is then lost, as with a reset of TCP, but for one case: an accepted
/// stream that we ended lets it arrive, and then only asks the peer to stop.
pub struct Stream {
    // Let go of in this order: the end of what is sent decides how the rest is told.
    sending: Sending,
    receiving: Receiving,
    was_reset: bool,
    wrote_end: bool,
    /// The place on a connection of ours; `None` on one that we accepted.
    lease: Option<Lease>,
}

impl Stream {
    /// A stream that a peer opened on a connection that we accepted.
    pub(super) fn accepted(sending: Sending, receiving: Receiving) -> Self {
        Self { sending, receiving, was_reset: false, wrote_end: false, lease: None }
    }

    /// A stream that we opened.
    pub(super) fn opened(sending: Sending, receiving: Receiving, lease: Lease) -> Self {
        let mut stream = Self::accepted(sending, receiving);
        stream.lease = Some(lease);
        stream
    }

    /// Waits until something has come that is not read yet, or the end, or a reset; takes nothing.
    pub fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.was_reset { Poll::Ready(()) } else { self.receiving.poll_readable(cx) }
    }

    /// Takes what has come, without copying it; `None` at the end.
    pub fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        self.poll_taken(usize::MAX, cx)
    }

    /// Takes so many bytes at most.
    fn poll_taken(&mut self, most: usize, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.was_reset {
            return Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into())));
        }
        let reset = |_| io::ErrorKind::ConnectionReset.into();
        self.receiving.poll_bytes(most, cx).map_err(reset)
    }

    /// Sends from the front of `bytes` as much as there is room for, without copying it.
    pub fn poll_write_bytes(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &mut Bytes,
    ) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        ready!(self.poll_room(cx))?;
        Poll::Ready(self.write(bytes))
    }

    /// Ends both directions with a reset.
    pub fn reset(&mut self) {
        self.sending.reset(Reason::CANCEL);
        (self.wrote_end, self.was_reset) = (true, true);
    }

    /// How many bytes can be written now: at least one.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.wrote_end {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        self.sending.poll_room(cx).map_err(write_failed)
    }

    fn write(&mut self, bytes: &mut Bytes) -> io::Result<usize> {
        let before = bytes.len();
        self.sending.send(bytes, false).map_err(write_failed)?;
        Ok(before - bytes.len())
    }
}

/// What it means for writing that a stream broke.
fn write_failed(broken: Broken) -> io::Error {
    match broken {
        Broken::Reset(Reason::NO_ERROR) => io::ErrorKind::BrokenPipe.into(),
        _ => io::ErrorKind::ConnectionReset.into(),
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("id", &self.receiving.id())
            .field("was_reset", &self.was_reset)
            .field("wrote_end", &self.wrote_end)
            .field("is_ours", &self.lease.is_some())
            .finish_non_exhaustive()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        if let Some(bytes) = ready!(self.poll_taken(buffer.remaining(), cx)) {
            buffer.put_slice(&bytes?);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let room = ready!(self.poll_room(cx))?;
        let part = bytes.get(..room).unwrap_or(bytes);
        Poll::Ready(self.write(&mut Bytes::copy_from_slice(part)))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wanted: usize = slices.iter().map(|slice| slice.len()).sum();
        if wanted == 0 {
            return Poll::Ready(Ok(0));
        }
        let room = ready!(self.poll_room(cx))?.min(wanted);
        let mut joined = BytesMut::with_capacity(room);
        for slice in slices {
            let part = slice.len().min(room - joined.len());
            joined.extend_from_slice(slice.get(..part).unwrap_or_default());
        }
        Poll::Ready(self.write(&mut joined.freeze()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What is written is sent by the connection's own task.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if std::mem::replace(&mut self.wrote_end, true) {
            return Poll::Ready(Ok(()));
        }
        Poll::Ready(self.sending.end().map_err(write_failed))
    }
}
