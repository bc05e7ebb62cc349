//! Who a workload is, proven: keys, certificates, the authority that signs them, and TLS made of
//! both.
//!
//! It dials no workload and knows no HBONE; that is `hbone`'s. Keys never leave memory.
//!
//! **Invariant:** a certificate is used until its successor is there, and never past its end.
//! **Invariant:** a peer is accepted only by the exact trust domain and, where one is expected, by
//! the exact identity.

mod credentials;
mod store;

pub use self::{
    credentials::{Credentials, TlsPeer},
    store::{Error, Identities},
};
