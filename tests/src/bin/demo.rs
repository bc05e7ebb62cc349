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
}

fn main() -> ExitCode {
    match waypoint_tests::demo::run(Arguments::parse().keep) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
