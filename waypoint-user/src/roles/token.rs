//! Signs a token for a node or a service account; not a process that stays.

use std::{path::Path, time::Duration};

use crate::identity::ca::directory;

pub use crate::identity::token::Caller;

/// A token by the key in the authority's directory, which is made if there is none.
pub fn sign(ca_dir: &Path, caller: &Caller, lifetime: Duration) -> Result<String, Error> {
    std::fs::create_dir_all(ca_dir)
        .map_err(|cause| Error::Directory { path: ca_dir.display().to_string(), cause })?;
    // The trust domain is no part of a token.
    let key = directory::token_key(ca_dir, "")?;
    key.sign(caller, lifetime).map_err(|cause| Error::Sign(cause.to_string()))
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The directory cannot be made.
    #[error("{path}: {cause}; name another directory with --ca-dir")]
    Directory {
        /// The directory.
        path: String,
        /// Why not.
        cause: std::io::Error,
    },
    /// The key cannot be used.
    #[error(transparent)]
    Files(#[from] directory::Error),
    /// The key does not sign.
    #[error("signing the token: {0}")]
    Sign(String),
}
