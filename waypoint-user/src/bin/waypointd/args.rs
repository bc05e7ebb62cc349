//! The command line of `waypointd`, turned into typed settings once.

use clap::{Parser, Subcommand};

mod agent;
mod authority;
mod controller;
mod endpoints;
mod engine;
mod log;
mod mesh;
mod node;
mod probe;
mod proxy;
mod source;
mod standalone;
mod token;
mod tracing;
mod waypoints;

pub(crate) use self::{
    agent::Agent, authority::Authority, controller::Controller, endpoints::Endpoints,
    engine::Engine, log::Log, mesh::Mesh, node::Node, probe::Probe, proxy::Proxy, source::Source,
    standalone::Standalone, token::Token, tracing::Tracing, waypoints::Waypoints,
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
    /// The control plane of a mesh: its certificate authority and, in a cluster, what runs its
    /// waypoints, and status.
    Controller(Box<Controller>),
    /// Sign a token by which an agent or a waypoint asks for certificates, and print it.
    Token(Token),
    /// Make what an agent needs that is not privileged itself: a bpffs, and network namespaces with
    /// their settings. What is there already is left as it is.
    Init(Node),
    /// Ask a process whether it is ready or alive; for exec probes of Kubernetes.
    Probe(Probe),
    /// Do nothing until SIGTERM, in a pod whose work was done by a container before.
    #[command(hide = true)]
    Rest,
    /// Remove every trace of an agent from this host: links, pins, namespaces, rules.
    Cleanup(Node),
}

/// What is said of starting a second process.
const UPGRADE: &str = "\
To upgrade, start the new one with the same arguments while the old one runs: the old one hands
over without losing a connection, drains and exits.";
