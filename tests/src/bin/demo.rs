//! `demo`: a small shop and what Waypoint does with its traffic; `cargo xtask demo` runs it.

#![forbid(unsafe_code)]

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use waypoint_tests::demo;

/// Shows, on real processes in network namespaces, what Waypoint does.
#[derive(Parser)]
#[command(name = "demo")]
struct Arguments {
    /// Leave the shop open afterwards, with a prompt to try things.
    #[arg(long)]
    keep: bool,
    /// On how many nodes the shop is: 1, or 2 with mutual TLS between them.
    #[arg(long, value_name = "N", default_value_t = 1)]
    nodes: u8,
    /// In a whole Kubernetes cluster instead, whose nodes get these images.
    #[arg(long, value_name = "IMAGE", num_args = 1.., conflicts_with_all = ["keep", "nodes"])]
    cluster: Vec<PathBuf>,
}

fn main() -> ExitCode {
    let Arguments { keep, nodes, cluster } = Arguments::parse();
    let told = match cluster.as_slice() {
        [] => demo::run(nodes, keep),
        _ => demo::town::run(cluster),
    };
    match told {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
