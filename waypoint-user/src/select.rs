//! Which pods are captured, and which waypoint, if any, stands before a destination
//! (Istio `pilot/pkg/serviceregistry/ambient/waypoints.go`, `cni/pkg/util/podutil.go`).
//!
//! It reads labels and a Snapshot and returns values; it keeps no state and does no I/O.
//!
//! **Invariant:** a connection has one kind of destination, by its original address, and so at most
//! one waypoint: what a waypoint itself dials is never captured.
//! **Invariant:** an object's own label decides alone; where it cannot be followed there is no
//! fallback to the namespace's.

mod bind;
mod choose;
mod enrol;
mod mode;

pub use bind::{Mesh, is_managed_service};
pub use choose::{Choice, Direct, Target, choose, for_service, for_workload};
pub use enrol::{Pod, enrolment, instance_of};
pub use mode::{FailModes, parse_fail_mode};

#[cfg(test)]
mod tests;
