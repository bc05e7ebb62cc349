//! One connection that we opened.

use std::{cell::Cell, future::poll_fn, rc::Rc, task::Poll, time::Duration};

use tokio::{task::AbortHandle, time::Instant};

use super::Io;
use crate::{
    hbone::{
        Error, Settings,
        keep::{Dead, Keeper},
        limits::CLOSE_TIMEOUT,
    },
    http2::{self, Broken, Carried, Sender},
    telemetry::task,
};

/// One connection; it ends when the pool and its last stream let go of it.
pub(super) struct Connection {
    pub(super) sender: Sender,
    places: Rc<Places>,
    streams_max: usize,
    /// Set when it is cut on purpose.
    was_cut: Cell<bool>,
    driver: AbortHandle,
}

/// The places of a connection, from before it is there.
#[derive(Default)]
pub(super) struct Places {
    taken: Cell<usize>,
    free_since: Cell<Option<Instant>>,
}

impl Places {
    pub(super) fn taken(&self) -> usize {
        self.taken.get()
    }
}

/// A place for one stream; it is free again when this is dropped.
pub(in crate::hbone) struct Lease(Rc<Places>);

impl Lease {
    /// Takes a place, whether or not there is room.
    pub(super) fn of(places: &Rc<Places>) -> Self {
        places.taken.set(places.taken.get() + 1);
        Self(Rc::clone(places))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let left = self.0.taken.get().saturating_sub(1);
        self.0.taken.set(left);
        if left == 0 {
            self.0.free_since.set(Some(Instant::now()));
        }
    }
}

impl Connection {
    /// Begins HTTP/2 on what was dialled.
    pub(super) fn begin(io: Box<dyn Io>, settings: &Settings, places: Rc<Places>) -> Self {
        let carried = Carried::new(io);
        let (connection, sender) = http2::Connection::client(carried, settings.opening());
        let driver = drive(connection, Keeper::new(settings));
        let driver = task::spawn_local("hbone connection", driver).abort_handle();
        let (streams_max, was_cut) = (settings.streams_max, Cell::new(false));
        Self { sender, places, streams_max, was_cut, driver }
    }

    /// Takes a place, if there is one.
    pub(super) fn lease(&self) -> Option<Lease> {
        let has_room = self.places.taken() < self.allowed() && !self.sender.is_choked();
        (has_room && self.is_usable()).then(|| Lease::of(&self.places))
    }

    /// Streams that the peer allows.
    fn allowed(&self) -> usize {
        self.sender.streams_max().clamp(1, self.streams_max.max(1))
    }

    /// True where more places are taken than the peer allows.
    pub(super) fn is_overfull(&self) -> bool {
        self.places.taken() > self.allowed()
    }

    /// Waits until it is known how many streams the peer allows, or that it is gone.
    pub(super) async fn settled(&self) {
        let is_gone = || self.is_cut() || self.driver.is_finished();
        poll_fn(|cx| if is_gone() { Poll::Ready(()) } else { self.sender.poll_told(cx) }).await;
    }

    /// True while streams can be opened: it is neither broken, nor did the peer say GOAWAY.
    pub(super) fn is_usable(&self) -> bool {
        self.sender.is_open() && !self.driver.is_finished()
    }

    /// True once it is of no use: broken, or without streams where no more are allowed. One whose
    /// last streams still run is kept, to be cut with them where that is asked for.
    pub(super) fn is_done(&self) -> bool {
        let is_over = self.broken().is_some() || self.driver.is_finished();
        is_over || (self.places.taken() == 0 && !self.is_usable())
    }

    /// Why its streams broke, once it ended.
    pub(super) fn broken(&self) -> Option<Broken> {
        self.sender.broken()
    }

    /// True if nobody used it for so long.
    pub(super) fn is_idle_for(&self, age: Duration) -> bool {
        let since = self.places.free_since.get();
        self.places.taken() == 0 && since.is_none_or(|since| since.elapsed() >= age)
    }

    /// Ends it and all its streams. Those who wait are told when its task lets go of it.
    pub(super) fn cut(&self) {
        self.was_cut.set(true);
        self.driver.abort();
    }

    /// True once it was cut.
    pub(super) fn is_cut(&self) -> bool {
        self.was_cut.get()
    }
}

/// Drives a connection to its end.
async fn drive(mut connection: http2::Connection<Carried<Box<dyn Io>>>, mut keeper: Keeper) {
    let driven = poll_fn(|cx| {
        if connection.poll_drive(cx).is_ready() {
            let failed = connection.failed().filter(|failed| !failed.is_end());
            return Poll::Ready(failed.map_or(Ok(()), |failed| Err(failed.into())));
        }
        keeper.poll(&connection, cx).map(|Dead| Err(Error::Dead))
    });
    match driven.await {
        Err(cause @ Error::Dead) => {
            tracing::debug!(%cause, "a connection of hbone is given up");
            return;
        }
        Err(cause) => tracing::debug!(%cause, "a connection of hbone broke"),
        Ok(()) => {}
    }
    Box::pin(connection.close(CLOSE_TIMEOUT)).await;
}
