//! The state of an etcd in which everything is installed, for control planes to begin with: made
//! once, and copied in much less time than installing takes.
//!
//! **Invariant:** a template is complete, or not there.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use nix::fcntl::{Flock, FlockArg};

use super::{ControlPlane, Place, directory::Directory, etcd, lock, programs::Programs, server};
use crate::lab::command;

/// A directory that stays as it is.
#[derive(Debug)]
pub(super) struct Template(PathBuf);

/// Finds the template for these programs and their definitions, or makes it.
pub(super) fn ensure(programs: &Programs) -> Result<Template> {
    let above = command::target()?.join("tmp/kube-templates");
    fs::create_dir_all(&above).with_context(|| above.display().to_string())?;
    // Of several programs that want one, one makes it.
    let file = File::create(above.join("lock"))?;
    let _lock = Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, error)| error)?;
    let place = above.join(format!("{:016x}", programs.fingerprint(server::SERVICES)?));
    if !place.is_dir() {
        make(programs, &place)?;
    }
    Ok(Template(place))
}

impl Template {
    /// Copies it.
    pub(super) fn copy_to(&self, place: &Path) -> Result<()> {
        let (from, to) = (self.0.display().to_string(), place.display().to_string());
        command::run("cp", &["-r", "--sparse=always", &from, &to])?;
        Ok(())
    }
}

fn make(programs: &Programs, place: &Path) -> Result<()> {
    let directory = Directory::create()?;
    let state = directory.path().join(etcd::STATE);
    let mut plane = ControlPlane::assemble(
        programs.clone(),
        directory,
        Place { netns: None, addresses: Vec::new() },
    )?;
    install(&plane)?;
    if let Some(server) = lock(&plane.server).as_mut() {
        server.stop()?;
    }
    plane.etcd.stop()?;
    fs::rename(&state, place).with_context(|| format!("move to {}", place.display()))
}

fn install(plane: &ControlPlane) -> Result<()> {
    let files = plane.programs.definitions()?;
    let names: Vec<_> = files.iter().map(|file| format!("--filename={}", file.display())).collect();
    let mut apply = vec!["apply", "--server-side"];
    apply.extend(names.iter().map(String::as_str));
    plane.kubectl(&apply)?;
    plane.kubectl(&["wait", "crd", "--all", "--for=condition=Established", "--timeout=120s"])?;
    // Pods of the namespace that is always there need its account.
    plane.apply(
        "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: default, namespace: default}\n",
    )
}
