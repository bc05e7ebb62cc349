//! Tunnels to pods, and sockets in their namespaces, on a node that is a network namespace.
//!
//! The modules are `cfg(test)`, as all of this file is, for clippy to know that they may unwrap.

#[cfg(test)]
#[path = "data_path_inbound/agent.rs"]
mod agent;
#[cfg(test)]
#[path = "data_path_inbound/mesh.rs"]
mod mesh;
#[cfg(test)]
#[path = "node_network/node.rs"]
mod node;
#[cfg(test)]
#[path = "data_path_inbound/sockets.rs"]
mod sockets;
#[cfg(test)]
#[path = "data_path_inbound/tunnels.rs"]
mod tunnels;
