//! A whole Kubernetes cluster on this machine: up, down, status.
//!
//! It prepares what the program `cluster` of the tests needs, and starts it.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};

use crate::kube::{self, Kube};
use crate::setup::packages;
use crate::shell::{command, is_root, say, status, target};
use crate::{image, product};

/// What to do with it.
#[derive(Subcommand)]
pub(crate) enum Request {
    /// Bring it up and say how to use it; the first time takes long, as Kubernetes is compiled
    Up(Shape),
    /// Remove it, whatever state it is in
    Down,
    /// Say what stands
    Status,
}

/// What it is to be.
#[derive(Args)]
pub(crate) struct Shape {
    /// How many nodes
    #[arg(long, default_value_t = 2)]
    nodes: u8,
}

/// Does it.
pub(crate) fn run(request: &Request) -> Result<ExitCode> {
    if !is_root() {
        bail!("nodes are made of namespaces and need root: run this command again as root");
    }
    match request {
        Request::Up(Shape { nodes }) => {
            let kube = prepare()?;
            let mut arguments = vec!["up".to_owned(), "--nodes".to_owned(), nodes.to_string()];
            for image in image::for_the_cluster_archives() {
                arguments.extend(["--image".to_owned(), image.display().to_string()]);
            }
            start(&arguments, Some(&kube))
        }
        Request::Down => start(&["down".to_owned()], None),
        Request::Status => start(&["status".to_owned()], None),
    }
}

/// Makes everything that a cluster needs.
pub(crate) fn prepare() -> Result<Kube> {
    product::for_the_lab()?;
    add_to_programs()
}

/// What a cluster needs beside our programs: packages, Kubernetes, images.
pub(crate) fn add_to_programs() -> Result<Kube> {
    packages::ensure(&packages::missing_for_nodes())?;
    let kube = kube::ensure()?;
    image::for_the_cluster()?;
    Ok(kube)
}

fn start(arguments: &[String], kube: Option<&Kube>) -> Result<ExitCode> {
    let program = target().join("debug/cluster");
    if !program.is_file() {
        product::for_the_lab()?;
    }
    say("cluster");
    let mut command = command(program, &[]);
    command.args(arguments).envs(kube.into_iter().flat_map(Kube::variables));
    let ended = status(&mut command)?;
    Ok(if ended.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
