//! Connections that we opened, kept and shared by streams; one pool for each worker.
//!
//! Nobody dials while another dials the same and has room left: callers take a place on the
//! connection that is to be, and share its failure.
//!
//! **Invariant:** a connection that broke, or whose peer wants no more streams, gets none.
//! **Invariant:** a stream is opened a second time only while none of its bytes were sent.

mod attempt;
mod connection;
mod open;

use std::{
    cell::RefCell,
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use tokio::io::{AsyncRead, AsyncWrite};

pub(super) use self::connection::Lease;
use self::{attempt::Attempt, connection::Connection};
use super::{Error, Settings};
use crate::mesh::spiffe::SpiffeId;

/// A connection below HTTP/2.
pub trait Io: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Io for T {}

/// What streams must agree upon to share a connection.
#[derive(Clone, Debug, Eq, PartialEq, Hash)]
pub struct Key {
    /// Who we are.
    pub source: Arc<SpiffeId>,
    /// Who the peer must be: any of these; sorted.
    pub expected: Vec<Arc<SpiffeId>>,
    /// Where we dial from, if that is not any address.
    pub from: Option<IpAddr>,
    /// What we dial.
    pub to: SocketAddr,
    /// The uid of the workload that has the address.
    pub workload: Arc<str>,
}

/// Connections by key.
#[derive(Default)]
pub struct Pool {
    settings: Settings,
    shelves: RefCell<HashMap<Key, Shelf>>,
}

/// The connections of one key.
#[derive(Default)]
struct Shelf {
    connections: Vec<Rc<Connection>>,
    attempts: Vec<Attempt>,
}

impl Pool {
    /// An empty one.
    pub fn new(settings: Settings) -> Self {
        Self { settings, shelves: RefCell::default() }
    }

    /// Closes connections whose key is not to be kept; streams on them are reset.
    pub fn evict(&self, keep: impl Fn(&Key) -> bool) {
        self.shelves.borrow_mut().retain(|key, shelf| {
            let kept = keep(key);
            if !kept {
                shelf.connections.iter().for_each(|connection| connection.cut());
            }
            kept
        });
    }

    /// Closes connections that had no stream for this long.
    pub fn close_idle(&self, age: Duration) {
        self.shelves.borrow_mut().retain(|_, shelf| {
            shelf.connections.retain(|one| !one.is_done() && !one.is_idle_for(age));
            shelf.attempts.retain(Attempt::is_awaited);
            !shelf.connections.is_empty() || !shelf.attempts.is_empty()
        });
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        self.shelves.borrow().values().map(|shelf| shelf.connections.len()).sum()
    }

    /// Makes room for one more connection, by closing one that nobody uses.
    fn make_room(&self) -> Result<(), Error> {
        let mut shelves = self.shelves.borrow_mut();
        let count = |shelf: &Shelf| shelf.connections.len() + shelf.attempts.len();
        if shelves.values().map(count).sum::<usize>() < self.settings.connections_max {
            return Ok(());
        }
        self.settings.limits.connections.hit();
        for shelf in shelves.values_mut() {
            let unused = shelf.connections.iter().position(|one| one.is_idle_for(Duration::ZERO));
            if let Some(unused) = unused {
                shelf.connections.swap_remove(unused);
                return Ok(());
            }
        }
        Err(Error::Full)
    }
}
