//! What watchers have to tell.
//!
//! It says nothing of what follows.

use std::sync::Arc;

use tokio::time::Instant;

use super::{raw::Document, selection::Selection};

/// What is new of a selection.
#[derive(Debug)]
pub(super) struct News {
    pub(super) selection: Arc<Selection>,
    pub(super) change: Change,
    pub(super) heard: Instant,
}

/// What changed.
#[derive(Debug)]
pub(super) enum Change {
    /// A list begins: what is not in it is gone when it ends.
    Listing,
    /// A part of a list.
    Listed(Vec<Document>),
    /// The list ended.
    Complete,
    /// An object was made or changed.
    Applied(Box<Document>),
    /// An object is gone.
    Deleted(Box<Document>),
    /// The server has no such kind.
    NotServed,
    /// It cannot be read; what was read stays.
    Failing { told: String, is_denied: bool },
    /// It can be read again.
    Recovered,
}
