//! Who a workload is, proven: keys, certificates, the authority that signs them, and TLS made of
//! both.
//!
//! It dials no workload and knows no HBONE; that is `hbone`'s. Keys never leave memory.
//!
//! ```text
//! want, credentials ──▶ Identities ── SigningRequest ──▶ Issuer ◀── Authority, in this process
//!                           │                            ▲
//!                           ▼                            └── a client of Istio's service
//!                      Credentials ──▶ rustls, with our own Verifier
//! ```
//!
//! **Invariant:** a certificate is used until its successor is there, and never past its end.
//! **Invariant:** a peer is accepted only by the exact trust domain and, where one is expected, by
//! the exact identity.

pub mod ca;
mod certificate;
pub mod client;
mod credentials;
mod crypto;
mod files;
mod issuer;
mod peer;
mod revocation;
pub mod service;
mod store;
pub mod token;
mod trust;
mod verifier;
mod wire;

pub use self::{
    credentials::{Credentials, dialled_name},
    issuer::{Issued, Issuer, Refusal, SigningRequest},
    peer::TlsPeer,
    revocation::Revocations,
    store::{Error, Identities, Settings},
};

#[cfg(test)]
mod tests;
