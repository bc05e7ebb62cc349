//! Two nodes of the lab with agents, a controller and waypoints in pods, all of which follow a real
//! API server: what a person changes with kubectl moves traffic that flows, and what comes, goes or
//! restarts meanwhile fails no request.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test crate, all of it; clippy knows only functions marked as tests"
)]

#[cfg(test)]
#[path = "cluster_mesh/labels.rs"]
mod labels;
#[cfg(test)]
#[path = "cluster_mesh/places.rs"]
mod places;
#[cfg(test)]
#[path = "cluster_mesh/restarts.rs"]
mod restarts;
#[path = "cluster_mesh/traffic.rs"]
mod traffic;
