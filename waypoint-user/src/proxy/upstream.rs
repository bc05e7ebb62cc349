//! Connections to endpoints: dialled with our mark, kept while idle, shared by all clients of a
//! worker.
//!
//! **Invariant:** a connection carries one HTTP/1 request at a time, and is used again only after
//! both the request and the response came to their end.
//! **Invariant:** dropping a connection that is in use closes it, or resets the request's stream.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::{LocalBoxFuture, Shared},
};

use super::{
    http::RequestBody,
    limits::{IDLE_MAX, IDLE_PER_ENDPOINT_MAX, Limits},
    respond::Fault,
    view::Held,
    way::Way,
    worker::Worker,
};

mod http1;
mod http2;

pub(super) use self::{
    http1::{Body as Http1Body, Http1},
    http2::{Body as Http2Body, Http2, Stream},
};

/// The connections of a worker.
#[derive(Default)]
pub(super) struct Pool {
    idle: RefCell<HashMap<Way, Vec<Http1>>>,
    idle_count: Cell<usize>,
    shared: RefCell<HashMap<Way, Vec<Rc<Http2>>>>,
    dialling: RefCell<HashMap<Way, Dialling>>,
}

/// A connection in the making, for all who wait for it.
type Dialling = Shared<LocalBoxFuture<'static, Result<Rc<Http2>, Fault>>>;

impl Pool {
    /// An idle HTTP/1 connection to an address; the one that was used last.
    pub(super) fn idle(&self, way: &Way) -> Option<Http1> {
        let mut idle = self.idle.borrow_mut();
        let connections = idle.get_mut(way)?;
        let found = loop {
            let Some(connection) = connections.pop() else { break None };
            self.idle_count.set(self.idle_count.get().saturating_sub(1));
            if connection.is_free() {
                connection.held.iter().for_each(Held::work);
                break Some(connection);
            }
        };
        if connections.is_empty() {
            idle.remove(way);
        }
        found
    }

    /// Keeps an HTTP/1 connection whose request and response ended.
    pub(super) fn keep(&self, mut connection: Http1, limits: &Limits) {
        if !connection.is_free() {
            return;
        }
        let mut idle = self.idle.borrow_mut();
        let connections = idle.entry(connection.way.clone()).or_default();
        let full = connections.len() >= IDLE_PER_ENDPOINT_MAX || self.idle_count.get() >= IDLE_MAX;
        if full {
            limits.upstream_idle.hit();
            return;
        }
        connection.rest();
        if let Some(held) = &connection.held {
            held.rest();
        }
        connections.push(connection);
        self.idle_count.set(self.idle_count.get() + 1);
    }

    /// A stream of an HTTP/2 connection that has room for one.
    pub(super) fn stream(&self, way: &Way) -> Option<Stream> {
        let mut shared = self.shared.borrow_mut();
        let connections = shared.get_mut(way)?;
        connections.retain(|connection| connection.is_open());
        let found = connections.iter().find_map(Http2::stream);
        if connections.is_empty() {
            shared.remove(way);
        }
        found
    }

    /// A stream of a new HTTP/2 connection. Requests that come while it is dialled share it, as far
    /// as it has room, and share its failure.
    /// `held` counts the connection, if this is who dials it.
    pub(super) async fn new_stream(
        &self,
        way: &Way,
        worker: &Rc<Worker>,
        mut held: Option<Held>,
    ) -> Result<Stream, Fault> {
        loop {
            let connection = self.dial_together(way, worker, held.take()).await?;
            // Where that one is full already, others may have dialled another meanwhile.
            if let Some(stream) = connection.stream().or_else(|| self.stream(way)) {
                return Ok(stream);
            }
        }
    }

    /// Dials an address, or waits for whoever dials it already.
    async fn dial_together(
        &self,
        way: &Way,
        worker: &Rc<Worker>,
        held: Option<Held>,
    ) -> Result<Rc<Http2>, Fault> {
        let dialling = {
            let mut all = self.dialling.borrow_mut();
            // What nobody waits for any more was given up, and would never end.
            all.retain(|_, dialling| dialling.strong_count().is_some_and(|count| count > 1));
            let dial = || {
                let (way, worker) = (way.clone(), Rc::clone(worker));
                async move { Http2::dial(&way, &worker, held).await.map(Rc::new) }
            };
            all.entry(way.clone()).or_insert_with(|| dial().boxed_local().shared()).clone()
        };
        let dialled = dialling.clone().await;
        // The first who wakes removes it; by then a later one may wake to the next.
        let is_it = |current: &mut Dialling| current.ptr_eq(&dialling);
        if self.dialling.borrow_mut().get_mut(way).is_some_and(is_it) {
            self.dialling.borrow_mut().remove(way);
        }
        if let Ok(connection) = &dialled {
            let mut shared = self.shared.borrow_mut();
            let connections = shared.entry(way.clone()).or_default();
            if !connections.iter().any(|known| Rc::ptr_eq(known, connection)) {
                connections.push(Rc::clone(connection));
                // Those who waited meanwhile find room in it.
                connection.held.iter().for_each(Held::rest);
            }
        }
        dialled
    }

    /// Takes no connection again whose way is not to be kept; what is under way goes on.
    pub(super) fn evict(&self, keep: impl Fn(&Way) -> bool) {
        let mut idle = self.idle.borrow_mut();
        idle.retain(|way, _| keep(way));
        self.idle_count.set(idle.values().map(Vec::len).sum());
        self.shared.borrow_mut().retain(|way, _| keep(way));
    }

    /// Closes the connection that was not used for the longest, of those that are meant.
    pub(super) fn close_one(&self, is_meant: impl Fn(&Held) -> bool) {
        let is_meant = |held: &Option<Held>| held.as_ref().is_some_and(&is_meant);
        let (mut idle, mut shared) = (self.idle.borrow_mut(), self.shared.borrow_mut());
        let all = idle.values().flatten().filter(|one| is_meant(&one.held));
        let oldest = all.map(|one| one.idle_since).min();
        let is_free = |one: &Http2| one.is_free() && is_meant(&one.held);
        let all = shared.values().flatten().filter(|one| is_free(one));
        let oldest_shared = all.map(|one| one.idle_since.get()).min();
        let first = oldest.into_iter().chain(oldest_shared).min();
        let mut left = usize::from(first.is_some());
        let mut is_it = |since, is_free: bool| {
            let is_it = left > 0 && is_free && Some(since) == first;
            left -= usize::from(is_it);
            is_it
        };
        idle.retain(|_, all| {
            all.retain(|one| !is_it(one.idle_since, is_meant(&one.held)));
            !all.is_empty()
        });
        shared.retain(|_, all| {
            all.retain(|one| !is_it(one.idle_since.get(), is_free(one)));
            !all.is_empty()
        });
        self.idle_count.set(idle.values().map(Vec::len).sum());
    }

    /// Closes connections that were not used for this long.
    pub(super) fn close_idle(&self, age: Duration) {
        let mut count = 0;
        self.idle.borrow_mut().retain(|_, connections| {
            connections.retain(|one| one.is_free() && one.idle_since.elapsed() < age);
            count += connections.len();
            !connections.is_empty()
        });
        self.idle_count.set(count);
        self.shared.borrow_mut().retain(|_, connections| {
            connections.retain(|one| {
                let idle = one.is_free() && one.idle_since.get().elapsed() >= age;
                one.is_open() && !idle
            });
            !connections.is_empty()
        });
    }
}

/// Why there is no response.
pub(super) struct Unanswered {
    /// What went wrong.
    pub(super) fault: Fault,
    /// The body, if the request can be sent again: because it was not processed, or does no harm
    /// when it is processed twice.
    pub(super) unsent: Option<RequestBody>,
}
