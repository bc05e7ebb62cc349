//! `bench-sync`: what following a cluster costs; `cargo xtask bench sync` runs it.

#![forbid(unsafe_code)]

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use clap::Parser;
use waypoint_tests::bench::sync::{self, Settings, follower::Role, following::follow};

/// What the daemon has, as its memory is measured here.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures how soon a changed label is in force, and what following a cluster costs.
#[derive(Parser)]
#[command(name = "bench-sync")]
struct Arguments {
    /// Pods of the cluster; may be given several times.
    #[arg(long, default_values_t = [1_000, 10_000, 50_000])]
    pods: Vec<usize>,
    /// How many labels are changed, for each role.
    #[arg(long, default_value_t = 200)]
    changes: usize,
    /// Only this role: agent, waypoint or controller; may be given several times.
    #[arg(long, value_parser = role)]
    only: Vec<Role>,
    /// Write all figures there.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Follow, instead of measuring.
    #[arg(long, hide = true, requires = "kubeconfig", value_parser = role)]
    follow: Option<Role>,
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
    let Arguments { pods, changes, only, json, follow: role, kubeconfig } = arguments;
    if let (Some(role), Some(kubeconfig)) = (role, kubeconfig) {
        return follow(role, kubeconfig);
    }
    let roles = if only.is_empty() { Role::ALL.to_vec() } else { only };
    let report = sync::run(&Settings { pods, changes, roles })?;
    println!("{report}");
    if let Some(file) = json {
        let text = format!("{:#}\n", report.json());
        fs::write(&file, text).with_context(|| format!("write {}", file.display()))?;
    }
    Ok(())
}

/// The role of a name.
fn role(name: &str) -> Result<Role, String> {
    Role::named(name).ok_or_else(|| format!("{name} is none of agent, waypoint, controller"))
}
