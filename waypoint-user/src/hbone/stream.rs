//! One tunnelled connection.
//!
//! **Invariant:** flow control is given back for bytes that the caller took, and for no others.
//! **Invariant:** what h2 holds to be sent was written within the peer's window, and is at most
//! [`SEND_BUFFER_BYTES`].

use std::{
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use h2::{Reason, RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{keep::Flow, limits::SEND_BUFFER_BYTES, pool::Lease};

/// A byte stream over HTTP/2 DATA frames. Dropping it before both directions ended resets it. What
/// was written and has not left yet is then lost, as with a reset of TCP, but for one case: an
/// accepted stream that we ended lets it arrive, and then only asks the peer to stop.
pub struct Stream {
    send: SendStream<Bytes>,
    receive: RecvStream,
    /// What was taken from `receive` and not handed on.
    ahead: Bytes,
    reading: Reading,
    wrote_end: bool,
    flow: Arc<Flow>,
    /// The place on a connection of ours; `None` on one that we accepted.
    lease: Option<Lease>,
}

/// How far reading is.
#[derive(Clone, Copy, Debug)]
enum Reading {
    Open,
    Ended,
    Failed(io::ErrorKind),
}

impl Stream {
    /// A stream that a peer opened on a connection that we accepted.
    pub(super) fn accepted(send: SendStream<Bytes>, receive: RecvStream, flow: Arc<Flow>) -> Self {
        let (ahead, reading, wrote_end) = (Bytes::new(), Reading::Open, false);
        Self { send, receive, ahead, reading, wrote_end, flow, lease: None }
    }

    /// A stream that we opened.
    pub(super) fn opened(
        send: SendStream<Bytes>,
        receive: RecvStream,
        flow: Arc<Flow>,
        lease: Lease,
    ) -> Self {
        let mut stream = Self::accepted(send, receive, flow);
        stream.lease = Some(lease);
        stream
    }

    /// Waits until something has come that is not read yet, or the end, or a reset; takes nothing.
    pub fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.ahead.is_empty() && matches!(self.reading, Reading::Open) {
            match ready!(self.receive.poll_data(cx)) {
                Some(Ok(bytes)) => {
                    self.flow.received(bytes.len());
                    self.ahead = bytes;
                }
                // Also a reset without an error: an end that came before it was seen already.
                Some(Err(_)) => self.reading = Reading::Failed(io::ErrorKind::ConnectionReset),
                None => self.reading = Reading::Ended,
            }
        }
        Poll::Ready(())
    }

    /// Takes what has come, without copying it; `None` at the end.
    pub fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        ready!(self.poll_readable(cx));
        Poll::Ready(match self.reading {
            _ if !self.ahead.is_empty() => {
                let bytes = std::mem::take(&mut self.ahead);
                self.give_back(bytes.len());
                Some(Ok(bytes))
            }
            Reading::Open | Reading::Ended => None,
            Reading::Failed(kind) => Some(Err(kind.into())),
        })
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
        let room = ready!(self.poll_room(cx, bytes.len()))?;
        Poll::Ready(self.write(bytes.split_to(room)))
    }

    /// Ends both directions with a reset.
    pub fn reset(&mut self) {
        self.send.send_reset(Reason::CANCEL);
        self.wrote_end = true;
        self.ahead = Bytes::new();
        self.reading = Reading::Failed(io::ErrorKind::ConnectionAborted);
    }

    /// How many of `wanted` bytes can be written now: at least one.
    fn poll_room(&mut self, cx: &mut Context<'_>, wanted: usize) -> Poll<io::Result<usize>> {
        if self.wrote_end {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        self.send.reserve_capacity(wanted.min(SEND_BUFFER_BYTES));
        let mut room = self.send.capacity();
        while room == 0 {
            room = match ready!(self.send.poll_capacity(cx)) {
                Some(Ok(room)) => room,
                Some(Err(cause)) => return Poll::Ready(Err(write_failed(&cause))),
                None => return Poll::Ready(Err(self.why_closed(cx))),
            };
        }
        Poll::Ready(Ok(room.min(wanted)))
    }

    fn write(&mut self, bytes: Bytes) -> io::Result<usize> {
        let written = bytes.len();
        self.send.send_data(bytes, false).map_err(|cause| write_failed(&cause))?;
        Ok(written)
    }

    /// Lets the peer send so many bytes more. Fails only where the stream is gone, and then
    /// nothing is to be given back.
    fn give_back(&mut self, bytes: usize) {
        let _gone = self.receive.flow_control().release_capacity(bytes);
    }

    /// Why nothing can be sent.
    fn why_closed(&mut self, cx: &mut Context<'_>) -> io::Error {
        match self.send.poll_reset(cx) {
            Poll::Ready(Ok(Reason::NO_ERROR)) => io::ErrorKind::BrokenPipe.into(),
            _ => io::ErrorKind::ConnectionReset.into(),
        }
    }
}

/// What an error means for writing.
fn write_failed(cause: &h2::Error) -> io::Error {
    match cause.reason() {
        Some(Reason::NO_ERROR) => io::ErrorKind::BrokenPipe.into(),
        _ => io::ErrorKind::ConnectionReset.into(),
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if !self.wrote_end {
            self.send.send_reset(Reason::CANCEL);
        }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("id", &self.receive.stream_id())
            .field("reading", &self.reading)
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
        ready!(self.poll_readable(cx));
        if let (true, Reading::Failed(kind)) = (self.ahead.is_empty(), self.reading) {
            return Poll::Ready(Err(kind.into()));
        }
        let taken = self.ahead.len().min(buffer.remaining());
        buffer.put_slice(&self.ahead.split_to(taken));
        if taken > 0 {
            self.give_back(taken);
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
        let room = ready!(self.poll_room(cx, bytes.len()))?;
        let part = bytes.get(..room).unwrap_or(bytes);
        Poll::Ready(self.write(Bytes::copy_from_slice(part)))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wanted = slices.iter().map(|slice| slice.len()).sum();
        if wanted == 0 {
            return Poll::Ready(Ok(0));
        }
        let room = ready!(self.poll_room(cx, wanted))?;
        let mut joined = BytesMut::with_capacity(room);
        for slice in slices {
            let part = slice.len().min(room - joined.len());
            joined.extend_from_slice(slice.get(..part).unwrap_or_default());
        }
        Poll::Ready(self.write(joined.freeze()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What is written is sent by the connection's own task.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.wrote_end {
            self.wrote_end = true;
            let ended = self.send.send_data(Bytes::new(), true);
            return Poll::Ready(ended.map_err(|cause| write_failed(&cause)));
        }
        Poll::Ready(Ok(()))
    }
}
