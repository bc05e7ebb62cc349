//! What operators see of the process: metrics, readiness, access log, log and the admin endpoint.
//!
//! It decides nothing about traffic, and nothing about traffic waits for it.

pub mod task;
