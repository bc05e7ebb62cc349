//! `demo`: a small shop and what Waypoint does with its traffic; `cargo xtask demo` runs it.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;

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
}

fn main() -> ExitCode {
    let Arguments { keep, nodes } = Arguments::parse();
    match waypoint_tests::demo::run(nodes, keep) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
