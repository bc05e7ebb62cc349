//! How a real API server is followed, whatever happens to it.
//!
//! The modules are `cfg(test)`, as all of this file is, for clippy to know that they may unwrap.

#[cfg(test)]
#[path = "cluster_sync/changes.rs"]
mod changes;
#[cfg(test)]
#[path = "cluster_sync/credentials.rs"]
mod credentials;
#[cfg(test)]
#[path = "cluster_sync/equality.rs"]
mod equality;
#[cfg(test)]
#[path = "cluster_sync/faults.rs"]
mod faults;
#[cfg(test)]
#[path = "cluster_sync/gap.rs"]
mod gap;
#[cfg(test)]
#[path = "cluster_sync/kinds.rs"]
mod kinds;
#[cfg(test)]
#[path = "cluster_sync/reader.rs"]
mod reader;
#[cfg(test)]
#[path = "cluster_sync/rights.rs"]
mod rights;
#[cfg(test)]
#[path = "cluster_sync/scopes.rs"]
mod scopes;
#[cfg(test)]
#[path = "cluster_sync/size.rs"]
mod size;
