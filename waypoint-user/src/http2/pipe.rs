//! A stream as a stream of bytes, for what asked for that by CONNECT.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Broken, Piece, Receiving, Sending};

/// Both halves of a stream, as bytes. Dropping it before both ended resets the stream.
pub struct Pipe {
    receiving: Receiving,
    sending: Sending,
    /// What was taken and not read.
    ahead: Bytes,
    /// Whether our half was ended.
    ended: bool,
}

impl Pipe {
    /// Of the halves of a stream that was granted.
    pub fn new(receiving: Receiving, sending: Sending) -> Self {
        Self { receiving, sending, ahead: Bytes::new(), ended: false }
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.ahead.is_empty() {
            match ready!(self.receiving.poll_piece(cx)) {
                Some(Ok(Piece::Data(piece))) => self.ahead = piece,
                Some(Ok(Piece::Trailers(_))) => {}
                Some(Err(broken)) => return Poll::Ready(Err(into_io(broken))),
                None => return Poll::Ready(Ok(())),
            }
        }
        let taken = self.ahead.len().min(buffer.remaining());
        buffer.put_slice(&self.ahead.split_to(taken));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let room = ready!(self.sending.poll_room(cx)).map_err(into_io)?;
        let part = bytes.get(..room).unwrap_or(bytes);
        let mut piece = Bytes::copy_from_slice(part);
        self.sending.send(&mut piece, false).map_err(into_io)?;
        Poll::Ready(Ok(part.len() - piece.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What is written is sent by whoever drives the connection.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if std::mem::replace(&mut self.ended, true) {
            return Poll::Ready(Ok(()));
        }
        Poll::Ready(self.sending.end().map_err(into_io))
    }
}

fn into_io(broken: Broken) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, broken)
}
