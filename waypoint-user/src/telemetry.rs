//! What operators see of the process: metrics, readiness, access log, log and the admin endpoint.
//!
//! It decides nothing about traffic, and nothing about traffic waits for it.
//!
//! **Invariant:** a full log or a slow scrape never delays a request; what is lost is counted.

pub mod access;
pub mod admin;
pub mod applied;
pub mod config_dump;
pub mod flows;
pub mod logging;
pub mod metrics;
pub mod readiness;
pub mod task;
pub mod traces;
