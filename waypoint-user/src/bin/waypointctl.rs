//! The command line: parses arguments, calls `cli`, prints.
#![forbid(unsafe_code)]

use std::{
    io::{ErrorKind, Write},
    process::ExitCode,
};

use clap::Parser;
use waypoint_user::cli::{self, Cli};

/// Exits with 0 if everything is as it should be, 1 if not, 2 if that cannot be said.
fn main() -> ExitCode {
    match cli::run(&Cli::parse()) {
        Ok(outcome) => match std::io::stdout().write_all(outcome.text.as_bytes()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => unable(&error),
            _ if outcome.good => ExitCode::SUCCESS,
            _ => ExitCode::from(1),
        },
        Err(error) => unable(&error),
    }
}

/// Says why there is no answer.
fn unable(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("waypointctl: {error}");
    ExitCode::from(2)
}
