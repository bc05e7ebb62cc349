//! The credentials of the identities that this process speaks for.

use std::{collections::BTreeSet, sync::Arc};

use super::Credentials;
use crate::mesh::spiffe::SpiffeId;

/// Credentials by identity, kept fresh; clones share them.
#[derive(Clone, Debug)]
pub struct Identities(());

impl Identities {
    /// Keeps credentials of these identities fresh, and forgets all others.
    pub fn want(&self, _identities: BTreeSet<Arc<SpiffeId>>) {
        unimplemented!()
    }

    /// The credentials of an identity, if they are there; never waits.
    pub fn current(&self, _identity: &SpiffeId) -> Option<Arc<Credentials>> {
        unimplemented!()
    }

    /// The credentials of an identity, asked for at once if they are not there.
    pub async fn credentials(&self, _identity: &SpiffeId) -> Result<Arc<Credentials>, Error> {
        unimplemented!()
    }
}

/// Why there are no credentials.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The authority refused, or cannot be reached.
    #[error("no certificate for {identity}: {cause}")]
    NotIssued {
        /// The identity.
        identity: String,
        /// Why.
        cause: String,
    },
}
