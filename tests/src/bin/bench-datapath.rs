//! `bench-datapath`: what the kernel side costs a connection; `cargo xtask bench datapath` runs it.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use waypoint_tests::bench::{self, Settings};
use waypoint_tests::lab::Family;

/// Measures a small ping-pong between two pods: without programs, left alone by them, captured.
#[derive(Parser)]
#[command(name = "bench-datapath")]
struct Arguments {
    /// How often each way is measured, in turn.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Messages of one measurement.
    #[arg(long, default_value_t = 20_000)]
    messages: usize,
    /// In IPv6.
    #[arg(long)]
    ipv6: bool,
}

fn main() -> ExitCode {
    let Arguments { rounds, messages, ipv6 } = Arguments::parse();
    let family = if ipv6 { Family::V6 } else { Family::V4 };
    match bench::run(Settings { rounds, messages, family }) {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
