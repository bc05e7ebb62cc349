//! Connections of HBONE, spread over the workers.
//!
//! One such connection carries the connections of many pods, so that the kernel's choice among
//! listeners would leave workers idle: it goes to the worker that holds the fewest.
//!
//! **Invariant:** a connection has one seat, which it keeps until its end; a drain is over when all
//! seats are free.

use std::{
    cell::Cell,
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::{Notify, mpsc};

use crate::telemetry::metrics::Registry;

/// The seats of all workers, as one of them sees them.
pub(super) struct Seats {
    rows: Arc<[Row]>,
    own: usize,
    arrivals: Cell<Option<Arrivals>>,
}

/// What other workers accepted for one.
pub(super) type Arrivals = mpsc::UnboundedReceiver<Arrival>;

/// A connection that another worker accepted.
pub(super) struct Arrival {
    pub(super) caller: Caller,
    pub(super) seat: Seat,
}

/// Who opened a connection of HBONE.
pub(super) enum Caller {
    /// A peer on the network.
    Peer(TcpStream, SocketAddr),
    /// The agent of this node.
    Agent(UnixStream),
}

/// The seats of one worker.
struct Row {
    taken: AtomicUsize,
    freed: Notify,
    // Not bounded itself: there are no more arrivals than seats.
    arrivals: mpsc::UnboundedSender<Arrival>,
}

impl Seats {
    /// Seats for each of so many workers, exported by their numbers.
    pub(super) fn for_each(workers: usize, registry: &Registry) -> Vec<Self> {
        let (rows, arrivals): (Vec<Row>, Vec<_>) = (0..workers).map(|_| Row::new()).unzip();
        let rows: Arc<[Row]> = rows.into();
        let read = Arc::clone(&rows);
        let (name, help) = ("waypoint_tunnels", "Connections of HBONE that peers opened, now.");
        registry.gauge_source(name, help, "worker", move || {
            let numbered = read.iter().enumerate();
            numbered.map(|(number, row)| (number.to_string(), row.taken() as u64)).collect()
        });
        let seats = |(own, arrivals)| {
            let arrivals = Cell::new(Some(arrivals));
            Self { rows: Arc::clone(&rows), own, arrivals }
        };
        arrivals.into_iter().enumerate().map(seats).collect()
    }

    /// A seat at the worker that has the fewest taken, at this one among equals; `None` when all
    /// have `most`.
    pub(super) fn take(&self, most: usize) -> Option<Seat> {
        let others = (0..self.rows.len()).filter(|number| *number != self.own);
        let all = std::iter::once(self.own).chain(others);
        let load = |number: &usize| self.rows.get(*number).map_or(usize::MAX, Row::taken);
        self.take_at(all.min_by_key(load)?, most)
    }

    /// A seat at this worker; `None` when it has `most`.
    pub(super) fn take_here(&self, most: usize) -> Option<Seat> {
        self.take_at(self.own, most)
    }

    fn take_at(&self, worker: usize, most: usize) -> Option<Seat> {
        let row = self.rows.get(worker).filter(|row| row.taken() < most)?;
        row.taken.fetch_add(1, Ordering::Relaxed);
        Some(Seat { rows: Arc::clone(&self.rows), worker })
    }

    /// Whether a seat is one of this worker's.
    pub(super) fn is_here(&self, seat: &Seat) -> bool {
        seat.worker == self.own
    }

    /// Hands a connection to the worker whose seat it has; gives it back when that one takes no
    /// more.
    pub(super) fn hand_over(&self, arrival: Arrival) -> Result<(), Arrival> {
        match self.rows.get(arrival.seat.worker) {
            Some(row) => row.arrivals.send(arrival).map_err(|refused| refused.0),
            None => Err(arrival),
        }
    }

    /// What others accept for this worker; `None` when it was taken already.
    pub(super) fn arrivals(&self) -> Option<Arrivals> {
        self.arrivals.take()
    }

    /// Waits until all seats of this worker are free.
    pub(super) async fn emptied(&self) {
        let Some(row) = self.rows.get(self.own) else { return };
        while row.taken() > 0 {
            row.freed.notified().await;
        }
    }
}

impl Row {
    fn new() -> (Self, Arrivals) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let row = Self { taken: AtomicUsize::new(0), freed: Notify::new(), arrivals: sender };
        (row, receiver)
    }

    fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

/// A connection's seat, taken until this is dropped.
pub(super) struct Seat {
    rows: Arc<[Row]>,
    worker: usize,
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(row) = self.rows.get(self.worker) {
            row.taken.fetch_sub(1, Ordering::Relaxed);
            row.freed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests;
