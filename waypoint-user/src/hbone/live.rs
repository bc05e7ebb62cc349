//! The connections of a worker by peer, to cut those whose peer was revoked or is no longer wanted.
//!
//! It decides nothing: who is cut is its caller's.
//!
//! **Invariant:** a connection that was cut carries no further byte, in either direction.

use std::{
    cell::{Cell, RefCell},
    io,
    pin::Pin,
    rc::{Rc, Weak},
    task::{Context, Poll, Waker},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::identity::TlsPeer;

/// The connections that are watched.
#[derive(Debug, Default)]
pub struct Live {
    entries: RefCell<Vec<Weak<Entry>>>,
}

#[derive(Debug)]
struct Entry {
    peer: TlsPeer,
    cut: Cell<bool>,
    /// Who reads it.
    reader: RefCell<Option<Waker>>,
}

impl Entry {
    /// Notes whom to wake when it is cut.
    fn read_by(&self, waker: &Waker) {
        match &mut *self.reader.borrow_mut() {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }
}

impl Live {
    /// Watches a connection until it is dropped.
    pub fn watch<T>(&self, io: T, peer: TlsPeer) -> Watched<T> {
        let entry = Rc::new(Entry { peer, cut: Cell::new(false), reader: RefCell::default() });
        let mut entries = self.entries.borrow_mut();
        if entries.len() == entries.capacity() {
            entries.retain(|entry| entry.strong_count() > 0);
        }
        entries.push(Rc::downgrade(&entry));
        Watched { io, entry }
    }

    /// Cuts the connections of some peers; how many those were.
    pub fn cut(&self, is_unwanted: impl Fn(&TlsPeer) -> bool) -> usize {
        let mut count = 0;
        self.entries.borrow_mut().retain(|entry| {
            let Some(entry) = entry.upgrade() else { return false };
            let unwanted = is_unwanted(&entry.peer);
            if unwanted {
                entry.cut.set(true);
                entry.reader.take().into_iter().for_each(Waker::wake);
                count += 1;
            }
            !unwanted
        });
        count
    }
}

/// A connection that can be cut: it ends with an error, and so do the streams on it.
#[derive(Debug)]
pub struct Watched<T> {
    io: T,
    entry: Rc<Entry>,
}

impl<T> Watched<T> {
    fn check(&self) -> io::Result<()> {
        if self.entry.cut.get() {
            let why = format!("{} is no longer wanted", self.entry.peer.identity);
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, why));
        }
        Ok(())
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // HTTP/2 always reads, so that it is woken here whatever else it waits for.
        self.entry.read_by(cx.waker());
        self.check()?;
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
