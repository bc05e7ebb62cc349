//! `cluster`: a whole Kubernetes cluster on this machine; `cargo xtask cluster` runs it.

#![forbid(unsafe_code)]

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::{Args, Parser};
use waypoint_tests::cluster::{
    Place,
    node::inside::{self, Identity},
    stand,
};

/// A control plane and nodes with real pods, each node a set of namespaces.
#[derive(Parser)]
#[command(name = "cluster")]
enum Command {
    /// Bring it up and say how to use it.
    Up(Shape),
    /// Remove it, whatever state it is in.
    Down,
    /// Say what stands.
    Status,
    /// Keep it, in the background.
    #[command(hide = true)]
    Keep(Shape),
    /// Be a node of it.
    #[command(hide = true)]
    Node(Own),
}

#[derive(Args)]
struct Shape {
    /// How many nodes.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=9))]
    nodes: u8,
    /// An archive of an image that every node is to have; may be repeated.
    #[arg(long = "image", value_name = "FILE")]
    images: Vec<PathBuf>,
}

#[derive(Args)]
struct Own {
    #[arg(long)]
    place: String,
    #[arg(long)]
    name: String,
    #[arg(long)]
    address: String,
    #[arg(long)]
    kube: PathBuf,
}

fn main() -> ExitCode {
    match run(Command::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<bool> {
    match command {
        Command::Up(Shape { nodes, images }) => stand::up(nodes, &images)?,
        Command::Down => stand::down()?,
        Command::Status => return stand::status(),
        Command::Keep(Shape { nodes, images }) => stand::keep(nodes, images)?,
        Command::Node(Own { place, name, address, kube }) => {
            inside::run(&Identity { place: Place::named(&place), name, address, kube })?;
        }
    }
    Ok(true)
}
