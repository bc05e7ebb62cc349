//! A connection in the making, for all who wait for it.

use std::{future::Future, rc::Rc};

use futures_util::{
    FutureExt, TryFutureExt,
    future::{LocalBoxFuture, Shared},
};

use super::{Connection, Io, Lease, connection::Places};
use crate::hbone::{Error, Settings};

/// The future of a connection. Whoever waits drives it; when nobody waits any more it is dropped.
pub(super) type Dialling = Shared<LocalBoxFuture<'static, Result<Rc<Connection>, Error>>>;

/// A connection in the making.
#[derive(Clone)]
pub(super) struct Attempt {
    pub(super) dialling: Dialling,
    places: Rc<Places>,
}

impl Attempt {
    /// Begins one.
    pub(super) fn new<D>(dial: D, settings: Settings) -> Self
    where
        D: Future<Output = Result<Box<dyn Io>, Error>> + 'static,
    {
        let places = Rc::<Places>::default();
        let its_places = Rc::clone(&places);
        let begin = move |io| Rc::new(Connection::begin(io, &settings, its_places));
        let dialling = dial.map_ok(begin);
        Self { dialling: dialling.boxed_local().shared(), places }
    }

    /// Takes a place on the connection that is to be.
    pub(super) fn join(&self, streams_max: usize) -> Option<Lease> {
        (self.places.taken() < streams_max).then(|| Lease::of(&self.places))
    }

    /// True while somebody waits for it.
    pub(super) fn is_awaited(&self) -> bool {
        self.places.taken() > 0
    }

    /// True for the same.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.dialling.ptr_eq(&other.dialling)
    }
}
