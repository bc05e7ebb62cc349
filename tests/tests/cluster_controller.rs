//! The controller against a real API server: what a Gateway runs in, its status, and who writes.
//!
//! Tests that share the control plane have revisions of their own, so that no controller sees to
//! another test's Gateways.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test crate, all of it; clippy knows only functions marked as tests"
)]

#[cfg(test)]
#[path = "cluster_controller/customising.rs"]
mod customising;
#[path = "cluster_controller/fixture.rs"]
mod fixture;
#[cfg(test)]
#[path = "cluster_controller/leading.rs"]
mod leading;
#[cfg(test)]
#[path = "cluster_controller/refusing.rs"]
mod refusing;
#[cfg(test)]
#[path = "cluster_controller/serving.rs"]
mod serving;
