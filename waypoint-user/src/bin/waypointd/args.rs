//! The command line of `waypointd`, turned into typed settings once.

use clap::{Parser, Subcommand};

mod agent;
mod authority;
mod controller;
mod engine;
mod log;
mod mesh;
mod node;
mod proxy;
mod source;
mod standalone;
mod token;

pub(crate) use self::{
    agent::Agent, authority::Authority, controller::Controller, engine::Engine, log::Log,
    mesh::Mesh, node::Node, proxy::Proxy, source::Source, standalone::Standalone, token::Token,
};

/// Waypoint's daemon: picks up labelled traffic by eBPF and handles it at L7.
#[derive(Parser)]
#[command(name = "waypointd", version, max_term_width = 100)]
pub(crate) struct Command {
    #[command(subcommand)]
    pub(crate) role: Role,
}

#[derive(Subcommand)]
pub(crate) enum Role {
    /// Everything in one process on one Linux host.
    Standalone(Box<Standalone>),
    /// A node's agent: carries what its pods open to waypoints and other nodes, and delivers what
    /// arrives for them.
    Agent(Box<Agent>),
    /// A waypoint in a pod of its own: HBONE in; HBONE or plain TCP to the endpoints.
    Proxy(Box<Proxy>),
    /// The control plane of a mesh: for now its certificate authority.
    Controller(Box<Controller>),
    /// Sign a token by which an agent or a waypoint asks for certificates, and print it.
    Token(Token),
    /// Remove every trace of an agent from this host: links, pins, namespaces, rules.
    Cleanup(Node),
}

/// What is said of starting a second process.
const UPGRADE: &str = "\
To upgrade, start the new one with the same arguments while the old one runs: the old one hands
over without losing a connection, drains and exits.";
