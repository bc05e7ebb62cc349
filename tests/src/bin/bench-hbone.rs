//! `bench-hbone`: what HBONE costs, beside Envoy; `cargo xtask bench hbone` runs it.

#![forbid(unsafe_code)]

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use waypoint_tests::bench::hbone::{self, Settings};

/// Measures CPU time, latency and memory of our waypoint beside Envoy doing the same.
#[derive(Parser)]
#[command(name = "bench-hbone")]
struct Arguments {
    /// Seconds of one measurement, after a second of warm-up.
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// How often each is taken, in turn.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Only rows whose name contains this.
    #[arg(long)]
    only: Option<String>,
    /// Write every round there.
    #[arg(long)]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    match measure(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: Arguments) -> Result<()> {
    let Arguments { seconds, rounds, only, json } = arguments;
    let report = hbone::run(&Settings { seconds, rounds, only })?;
    println!("{report}");
    if let Some(file) = json {
        let text = format!("{:#}\n", report.json());
        fs::write(&file, text).with_context(|| format!("write {}", file.display()))?;
    }
    let failures = report.failures();
    ensure!(failures.is_empty(), "not measured:\n{}", failures.join("\n"));
    Ok(())
}
