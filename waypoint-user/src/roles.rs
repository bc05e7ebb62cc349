//! What a process can be: each role wires the same modules differently and decides nothing.
//!
//! **Invariant:** no other module imports this one.

pub mod agent;
mod applied;
pub mod controller;
mod error;
mod explanations;
pub mod host;
mod parts;
pub mod probe;
pub mod proxy;
pub mod standalone;
pub mod token;

pub use self::error::Error;
