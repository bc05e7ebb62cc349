//! What comes on a stream, read in pieces that are as large as what comes.
//!
//! Small messages are read into memory that all connections of a thread share, and take as much of
//! their own as they are long; for long bodies the pieces grow.
//!
//! **Invariant:** a connection on which nothing comes holds no memory for it.

use std::{
    cell::RefCell,
    io,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, ReadBuf},
    net::TcpStream,
};

use super::{limits::HTTP1_BUFFER_BYTES, stream::Stream};

/// What came on a stream and was not taken.
#[derive(Debug, Default)]
pub(super) struct Inlet {
    /// What came and was not taken.
    pub(super) input: Bytes,
    /// Where the next bytes are read to, once they filled the shared memory.
    room: BytesMut,
    /// How much is read at once; zero for the shared memory.
    read_bytes: usize,
}

impl Inlet {
    /// An inlet of which `first` came already.
    pub(super) fn new(first: Bytes) -> Self {
        Self { input: first, ..Self::default() }
    }

    /// Lets go of what only a long body needed.
    pub(super) fn rest(&mut self) {
        if self.read_bytes > 0 {
            (self.room, self.read_bytes) = (BytesMut::new(), 0);
        }
        if self.input.is_empty() {
            // An empty slice still keeps the memory it was cut from.
            self.input = Bytes::new();
        }
    }

    /// Reads more behind what was not taken; nothing comes at the stream's end.
    pub(super) fn poll_fill(
        &mut self,
        stream: &mut Stream,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let more = match stream {
            Stream::Tunnel(tunnel) => match ready!(tunnel.poll_bytes(cx)) {
                Some(bytes) => bytes?,
                None => Bytes::new(),
            },
            Stream::Tcp(tcp) if self.read_bytes == 0 => ready!(self.poll_shared(tcp, cx))?,
            Stream::Tcp(tcp) => {
                self.room.reserve(self.read_bytes);
                let read = ready!(pin!(tcp.read_buf(&mut self.room)).poll(cx))?;
                let bytes = self.take(read);
                if read >= self.read_bytes {
                    self.read_bytes = (2 * self.read_bytes).min(HTTP1_BUFFER_BYTES);
                } else if read < self.read_bytes / 4 {
                    self.shrink();
                }
                bytes
            }
        };
        let read = more.len();
        if self.input.is_empty() {
            self.input = more;
        } else if read > 0 {
            self.input = joined(&self.input, &more);
        }
        Poll::Ready(Ok(read))
    }

    /// What was read. Where that is a small part of the room it gets memory of its own, because
    /// whoever keeps some of it would keep all of the room.
    fn take(&mut self, read: usize) -> Bytes {
        if read >= self.read_bytes / 4 {
            return self.room.split().freeze();
        }
        let bytes = Bytes::copy_from_slice(&self.room);
        self.room.clear();
        bytes
    }

    /// Reads less at once, now that less comes.
    fn shrink(&mut self) {
        self.read_bytes /= 2;
        if self.read_bytes <= SHARED_BYTES {
            (self.room, self.read_bytes) = (BytesMut::new(), 0);
        }
    }

    /// Reads into the memory that the thread shares.
    fn poll_shared(
        &mut self,
        tcp: &mut TcpStream,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Bytes>> {
        SHARED.with_borrow_mut(|shared| {
            let mut buffer = ReadBuf::new(shared);
            ready!(Pin::new(tcp).poll_read(cx, &mut buffer))?;
            if buffer.remaining() == 0 {
                self.read_bytes = 2 * SHARED_BYTES;
            }
            Poll::Ready(Ok(Bytes::copy_from_slice(buffer.filled())))
        })
    }
}

fn joined(first: &Bytes, second: &Bytes) -> Bytes {
    let mut both = BytesMut::with_capacity(first.len() + second.len());
    both.extend_from_slice(first);
    both.extend_from_slice(second);
    both.freeze()
}

thread_local! {
    /// Where all connections of a thread read to, one after the other.
    static SHARED: RefCell<Box<[u8]>> = RefCell::new(vec![0; SHARED_BYTES].into());
}

/// How much is read at once, unless a body is long.
const SHARED_BYTES: usize = 16 * 1024;

#[cfg(test)]
mod tests;
