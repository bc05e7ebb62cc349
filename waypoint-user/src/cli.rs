//! What `waypointctl` does: read, ask, print, and bring waypoints into a cluster.
//!
//! It never touches traffic or the kernel, and decides nothing: what it says of a mesh, it has from
//! the code that enforces it.
//!
//! **Invariant:** everything that is printed goes through the [`Console`] that the caller hands in.

mod admin;
pub mod analyze;
mod config_dump;
mod connection;
pub mod console;
mod crds;
mod duration;
mod error;
mod explain;
mod format;
mod man;
pub mod observe;
mod reach;
mod request;
mod source;
mod table;
mod version;
mod waypoint;
mod yaml;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

pub use self::{
    connection::Connection, console::Console, error::Error, format::Format, table::Table,
};

/// The command line of `waypointctl`.
#[derive(Debug, Parser)]
#[command(
    name = "waypointctl",
    version,
    about = "Bring waypoints into a cluster, look at a mesh of them and explain it"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `waypointctl` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// What is done with waypoints.
    #[command(flatten)]
    Verb(waypoint::Verb),
    /// The same verbs, as `istioctl` has them
    #[command(hide = true, arg_required_else_help = true)]
    Waypoint {
        /// What to do with waypoints.
        #[command(subcommand)]
        verb: waypoint::Spelled,
    },
    /// Say why a connection does or does not take a waypoint, step by step
    Explain(explain::Arguments),
    /// Say what is accepted of a mesh, what is not and why, and which waypoint stands before what
    Analyze(analyze::Arguments),
    /// Show connections of a node's pods as they happen: who, to whom, which way, how long, how
    /// much
    Observe(observe::Arguments),
    /// Look at what agents and waypoints have in force
    Config {
        /// What to look at.
        #[command(subcommand)]
        what: Config,
    },
    /// Show which versions run
    Version(version::Arguments),
    /// Print the manual, or write its pages
    Man(man::Arguments),
    /// Print the CustomResourceDefinitions of Waypoint's own kinds
    #[command(hide = true)]
    Crds,
    /// Print a completion script, to be sourced by the shell
    Completion {
        /// The shell
        shell: Shell,
    },
}

/// What of a configuration.
#[derive(Debug, Subcommand)]
pub enum Config {
    /// Show the configuration that an agent or a waypoint has in force
    Dump(config_dump::Arguments),
}

/// Whether everything is as it should be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It is.
    Good,
    /// It is not.
    Amiss,
}

impl Outcome {
    /// Good if this is so.
    pub const fn good_if(good: bool) -> Self {
        if good { Self::Good } else { Self::Amiss }
    }
}

/// Does what the command line asks for.
pub async fn run(cli: &Cli, console: &mut Console<'_>) -> Result<Outcome, Error> {
    match &cli.command {
        Command::Verb(verb) => waypoint::run(verb, console).await,
        Command::Waypoint { verb: waypoint::Spelled::Verb(verb) } => {
            waypoint::run(verb, console).await
        }
        Command::Waypoint { verb: waypoint::Spelled::Other(words) } => {
            let word = words.first().cloned().unwrap_or_default();
            Err(Error::UnknownSubcommand(word))
        }
        Command::Explain(arguments) => explain::run(arguments, console).await,
        Command::Analyze(arguments) => analyze::run(arguments, console).await,
        Command::Observe(arguments) => observe::run(arguments, console).await,
        Command::Config { what: Config::Dump(arguments) } => {
            config_dump::run(arguments, console).await
        }
        Command::Version(arguments) => version::run(arguments, console).await,
        Command::Man(arguments) => man::run(arguments, Cli::command(), console),
        Command::Crds => crds::run(console),
        Command::Completion { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "waypointctl", &mut script);
            console.out.text(&String::from_utf8_lossy(&script))?;
            Ok(Outcome::Good)
        }
    }
}
