//! `bench-l7`: what the engine costs beside its peers; `cargo xtask bench l7` runs it.

#![forbid(unsafe_code)]

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, ensure};
use clap::{Args, Parser, Subcommand};
use waypoint_tests::bench::l7::{
    self, Peer, Settings,
    backend::{self, Listen},
    client,
    load::Load,
    soak,
};

/// Measures CPU time, latency and memory of our engine beside Envoy, HAProxy, nginx and no proxy.
#[derive(Parser)]
#[command(name = "bench-l7", args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    run: Run,
}

/// A process of a measurement.
#[derive(Subcommand)]
enum Part {
    /// Ask as told, and say what was seen.
    #[command(hide = true)]
    Client(Box<Load>),
    /// Answer.
    #[command(hide = true)]
    Backend(Listen),
    /// Keep our engine under load while its mesh changes and clients go away.
    Soak {
        /// How long.
        #[arg(long, default_value_t = 600)]
        seconds: u64,
    },
}

#[derive(Args)]
struct Run {
    /// Seconds of one measurement, after a second of warm-up.
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// How often each is taken, in turn.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Two minutes in all: short measurements, and fewer idle connections.
    #[arg(long, conflicts_with_all = ["seconds", "rounds"])]
    quick: bool,
    /// Between pods, whose connections to us the kernel captures, instead of over loopback.
    #[arg(long)]
    captured: bool,
    /// Only rows whose name contains this.
    #[arg(long)]
    only: Option<String>,
    /// Only these, besides ours; may be repeated.
    #[arg(long, value_enum)]
    peer: Vec<Peer>,
    /// Write one object for each row and peer there.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    match start(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(arguments: Arguments) -> Result<()> {
    match arguments.part {
        Some(Part::Backend(listen)) => backend::run(&listen),
        Some(Part::Soak { seconds }) => soak::run(seconds),
        Some(Part::Client(load)) => {
            println!("{}", client::run(&load)?.told());
            Ok(())
        }
        None => measure(arguments.run),
    }
}

fn measure(run: Run) -> Result<()> {
    let Run { seconds, rounds, quick, captured, only, mut peer, json } = run;
    if !peer.is_empty() {
        peer.insert(0, Peer::Waypoint);
    }
    let everybody = [Peer::Waypoint, Peer::Envoy, Peer::Haproxy, Peer::Nginx, Peer::None];
    let peers = if peer.is_empty() { everybody.into() } else { peer };
    let (period, warm_up) =
        if quick { (QUICK_PERIOD, QUICK_WARM_UP) } else { (seconds * 1000, 1000) };
    let settings =
        Settings { period, warm_up, rounds, is_quick: quick, only, peers, is_captured: captured };
    let report = l7::run(&settings)?;
    println!("{report}");
    if let Some(file) = json {
        let text = format!("{:#}\n", report.json());
        fs::write(&file, text).with_context(|| format!("write {}", file.display()))?;
    }
    let failures = report.failures();
    ensure!(failures.is_empty(), "not measured:\n{}", failures.join("\n"));
    Ok(())
}

/// Milliseconds of a measurement that counts, and before it, when there is little time.
const QUICK_PERIOD: u64 = 250;
const QUICK_WARM_UP: u64 = 60;
