//! The project's own commands: set up a machine, build, test, check and play.
//!
//! It holds no product code and depends on no other crate of the workspace, so that
//! `cargo xtask <command>` compiles in seconds on a fresh clone.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

mod bpffs;
mod ci;
mod cluster;
mod crds;
mod ebpf;
mod fuzz;
mod image;
mod kube;
mod leaks;
mod play;
mod product;
mod rings;
mod setup;
mod shell;
mod tidy;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Waypoint's own commands", disable_version_flag = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write the CustomResourceDefinitions of Waypoint's own kinds into deploy/
    Crds,
    /// Install what this machine lacks: Debian packages, the eBPF toolchain
    Setup,
    /// Build the eBPF object that waypointd embeds
    BuildEbpf {
        /// Load it and print how many instructions the verifier processed per program
        #[arg(long)]
        stats: bool,
    },
    /// Build the release binaries into target/waypoint
    Build,
    /// Pack waypointd into an OCI image, target/waypoint/waypoint-image.tar
    Image(image::Request),
    /// Build the Kubernetes control plane that the tests start, once
    Kube,
    /// Prepare everything, then run the tests ring by ring
    Test(rings::Request),
    /// Bring up a topology to play in, with a cheat sheet
    Lab(play::Passed),
    /// Stand up a Kubernetes cluster of real nodes on this machine, to play in
    Cluster {
        #[command(subcommand)]
        what: cluster::Request,
    },
    /// Bring up a small shop and show, step by step, what Waypoint does with its traffic
    Demo(play::Passed),
    /// Measure on this machine
    Bench {
        #[command(subcommand)]
        what: play::Bench,
    },
    /// Keep the engine under load for ten minutes while its mesh changes and clients go away
    Soak(play::Passed),
    /// Fuzz everything that parses bytes from outside; needs a nightly compiler
    Fuzz(fuzz::Request),
    /// Check the house style: imports, names, sizes, words
    Tidy,
    /// What continuous integration runs: format, clippy, tidy, test
    Ci,
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Crds => crds::run().map(|()| ExitCode::SUCCESS),
        Command::Setup => setup::run().map(|_| ExitCode::SUCCESS),
        Command::BuildEbpf { stats } => ebpf::run(stats).map(|()| ExitCode::SUCCESS),
        Command::Build => product::release().map(|()| ExitCode::SUCCESS),
        Command::Image(request) => image::run(&request).map(|()| ExitCode::SUCCESS),
        Command::Kube => kube::ensure().map(|_| ExitCode::SUCCESS),
        Command::Test(request) => rings::run(&request),
        Command::Lab(passed) => play::lab(&passed),
        Command::Cluster { what } => cluster::run(&what),
        Command::Demo(passed) => play::demo(&passed),
        Command::Bench { what } => play::bench(&what),
        Command::Soak(passed) => play::soak(&passed),
        Command::Fuzz(request) => fuzz::run_targets(&request),
        Command::Tidy => tidy::run(),
        Command::Ci => ci::run_all(),
    }
}
