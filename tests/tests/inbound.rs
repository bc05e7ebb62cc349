//! Tunnels to pods, and sockets in their namespaces, on a node that is a network namespace.
//!
//! The modules are `cfg(test)`, as all of this file is, for clippy to know that they may unwrap.

#[cfg(test)]
#[path = "inbound/admission.rs"]
mod admission;
#[cfg(test)]
#[path = "inbound/agent.rs"]
mod agent;
#[cfg(test)]
#[path = "inbound/mesh.rs"]
mod mesh;
#[cfg(test)]
#[path = "node_network/node.rs"]
mod node;
#[cfg(test)]
#[path = "inbound/sockets.rs"]
mod sockets;
#[cfg(test)]
#[path = "inbound/tunnels.rs"]
mod tunnels;
