//! The certificate authority in a cluster: its keys in a Secret, its roots in a ConfigMap of every
//! namespace, and callers by the tokens that the cluster gave them.
//!
//! It signs nothing; that is `identity`'s.

mod review;
mod roots;
mod secret;

pub use self::{
    review::Reviews,
    roots::{CONFIG_MAP, spread},
    secret::{Error, SECRET, follow},
};
