//! The command line of `waypointd`, turned into typed settings once.

use clap::{Parser, Subcommand};

mod log;
mod node;
mod standalone;

pub(crate) use self::{log::Log, node::Node, standalone::Standalone};

/// Waypoint's daemon: picks up labelled traffic by eBPF and handles it at L7.
#[derive(Parser)]
#[command(name = "waypointd", version, max_term_width = 100)]
pub(crate) struct Command {
    #[command(subcommand)]
    pub(crate) role: Role,
}

#[derive(Subcommand)]
pub(crate) enum Role {
    /// Everything in one process on one Linux host, from manifests in a directory.
    Standalone(Box<Standalone>),
    /// Remove every trace of an agent from this host: links, pins, namespaces, rules.
    Cleanup(Node),
}
