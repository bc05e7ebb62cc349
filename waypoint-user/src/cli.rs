//! What `waypointctl` does: read, decide nothing, print.
//!
//! It never touches traffic or the kernel.

pub mod analyze;
pub mod observe;
mod table;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

pub use table::Table;

/// The command line of `waypointctl`.
#[derive(Debug, Parser)]
#[command(name = "waypointctl", version, about = "Look at a mesh of Waypoint and explain it")]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `waypointctl` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say what is accepted of manifests, what is not and why, and which waypoint stands before
    /// what
    Analyze(analyze::Arguments),
    /// Show connections of a node's pods as they happen: who, to whom, which way, how long, how
    /// much
    Observe(observe::Arguments),
    /// Print a completion script, to be sourced by the shell
    Completion {
        /// The shell
        shell: Shell,
    },
}

/// What a command has to say.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Outcome {
    /// The text for standard output.
    pub text: String,
    /// Whether everything is as it should be.
    pub good: bool,
}

/// Why a command cannot answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The manifests cannot be read.
    #[error(transparent)]
    Sync(#[from] crate::sync::Error),
    /// The agent cannot be asked.
    #[error("admin endpoint {address}: {cause}; name the agent's with --admin")]
    Admin {
        /// Where it was looked for.
        address: String,
        /// Why not.
        cause: std::io::Error,
    },
    /// The answer cannot be written as JSON.
    #[error("writing JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Does what the command line asks for.
pub fn run(cli: &Cli) -> Result<Outcome, Error> {
    match &cli.command {
        Command::Analyze(arguments) => analyze::run(arguments),
        Command::Observe(arguments) => {
            observe::run(arguments, &mut std::io::stdout().lock())?;
            Ok(Outcome { text: String::new(), good: true })
        }
        Command::Completion { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "waypointctl", &mut script);
            let text = String::from_utf8_lossy(&script).into_owned();
            Ok(Outcome { text, good: true })
        }
    }
}
