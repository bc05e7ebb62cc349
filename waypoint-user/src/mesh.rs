//! The mesh as values: what every other module talks about, in the words of Kubernetes, the Gateway
//! API and Istio.
//!
//! It does no I/O, is not async, reads no clock and knows no Kubernetes client type; only `sync`
//! makes a [`snapshot::Snapshot`] out of the cluster's objects.
//!
//! **Invariant:** a [`snapshot::Snapshot`] never changes after it was made.
//! **Invariant:** what could not be understood is not in a Snapshot but in its [`report::Report`].

pub mod address;
pub mod binding;
pub mod condition;
pub mod external;
pub mod flow;
pub mod label;
pub mod node;
pub mod object;
pub mod path;
pub mod pattern;
pub mod policy;
mod ranges;
pub mod report;
pub mod request;
pub mod route;
pub mod service;
pub mod snapshot;
pub mod spiffe;
pub mod traffic_policy;
pub mod waypoint;
pub mod workload;
