//! `bench-sync`: what following a cluster costs; `cargo xtask bench sync` runs it.

#![forbid(unsafe_code)]

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Result, bail};
use clap::Parser;
use waypoint_tests::bench::sync::{
    self, Settings,
    follower::{Role, follow},
};

/// Measures how soon a changed label is in force, and what following a cluster costs.
#[derive(Parser)]
#[command(name = "bench-sync")]
struct Arguments {
    /// Pods of the cluster; may be given several times.
    #[arg(long, default_values_t = [1_000, 10_000, 50_000])]
    pods: Vec<usize>,
    /// How many labels are changed.
    #[arg(long, default_value_t = 200)]
    changes: usize,
    /// Follow, instead of measuring.
    #[arg(long, hide = true, requires = "kubeconfig")]
    follow: Option<String>,
    /// The cluster to follow.
    #[arg(long, hide = true)]
    kubeconfig: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<()> {
    let Arguments { pods, changes, follow: role, kubeconfig } = arguments;
    match (role.as_deref(), kubeconfig) {
        (None, _) => {
            println!("{}", sync::run(&Settings { pods, changes })?);
            Ok(())
        }
        (Some("agent"), Some(kubeconfig)) => follow(Role::Agent, kubeconfig),
        (Some("waypoint"), Some(kubeconfig)) => follow(Role::Waypoint, kubeconfig),
        (Some(other), _) => bail!("{other} is neither agent nor waypoint"),
    }
}
