//! Which pods are captured, and which waypoint, if any, stands before a destination
//! (Istio `pilot/pkg/serviceregistry/ambient/waypoints.go`, `cni/pkg/util/podutil.go`).
//!
//! It reads labels and a Snapshot and returns values; it keeps no state and does no I/O.
//!
//! **Invariant:** a connection has one kind of destination, by its original address, and so at most
//! one waypoint: what a waypoint itself dials is never captured.
//! **Invariant:** an object's own label decides alone; where it cannot be followed there is no
//! fallback to the namespace's.
//! **Invariant:** where a label speaks, the object's or its namespace's and be it `none`, it beats
//! the annotation of a Gateway that stands for a service account.

mod accounts;
mod balance;
mod bind;
mod canary;
mod capture;
mod choose;
mod enrol;
mod inbound;
mod locality;
mod mode;
mod outbound;

pub use accounts::Accounts;
pub use bind::{Asked, Mesh, is_managed_service};
pub use canary::{Asking, CanaryReason, CanaryRefusal, weighted};
pub use capture::{Capture, captures_service, captures_workload};
pub use choose::{Choice, Direct, Target, choose, for_service, for_workload};
pub use enrol::{Pod, enrolment, instance_of};
pub use inbound::{Addressed, Authority, Inbound, addressed, bound_to, inbound, service_of_host};
pub use locality::{Place, nearest};
pub use mode::{FailModes, parse_fail_mode};
pub use outbound::{Instance, Outbound, Reached, RefusedBy, outbound};

#[cfg(test)]
mod tests;
