//! What the agent sets up in the node's network, and what it finds there.
//!
//! The modules are `cfg(test)`, as all of this file is, for clippy to know that they may unwrap.

#[cfg(test)]
#[path = "node_network/agent.rs"]
mod agent;
#[cfg(test)]
#[path = "node_network/node.rs"]
mod node;
#[cfg(test)]
#[path = "node_network/pods.rs"]
mod pods;
#[cfg(test)]
#[path = "node_network/services.rs"]
mod services;
