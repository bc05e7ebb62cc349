//! Mutual TLS, HBONE and HTTP/1 as written here and in the libraries below, without the product's
//! own code: what stories and measurements speak to the product with.
//!
//! It is lean rather than general: requests without bodies, answers with a `content-length`.

pub mod authority;
pub mod duct;
pub mod issuance;
pub mod tls;
pub mod tunnel;

pub use authority::{Authority, Credentials};
pub use duct::Duct;
pub use issuance::Desk;
