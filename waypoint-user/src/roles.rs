//! What a process can be: each role wires the same modules differently and decides nothing.
//!
//! **Invariant:** no other module imports this one.

pub mod agent;
mod applied;
mod parts;
pub mod controller;
pub mod standalone;
pub mod token;
