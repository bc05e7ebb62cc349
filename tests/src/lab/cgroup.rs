//! A cgroup of version 2 in which processes of a lab's pods run.
//!
//! A socket belongs to the cgroup of the process that made it, so processes are put into it before
//! they begin.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::{
    Netns, Process,
    name::Name,
    wait::{self, SOON},
};

/// A cgroup that is there until it is dropped.
#[derive(Debug)]
pub struct Cgroup(PathBuf);

impl Cgroup {
    /// Makes one that carries the lab's name.
    pub fn create(lab: &Name) -> Result<Self> {
        let mounts = fs::read_to_string("/proc/self/mounts")?;
        let mount = mounts.lines().find(|line| line.starts_with("cgroup2 "));
        let root =
            mount.and_then(|line| line.split(' ').nth(1)).context("no cgroup2 is mounted")?;
        let path = Path::new(root).join(lab.to_string());
        fs::create_dir(&path).with_context(|| format!("make {}", path.display()))?;
        Ok(Self(path))
    }

    /// Makes one below it, as the kubelet does for each pod. It has to go first.
    pub fn of_pod(&self, uid: &str) -> Result<Self> {
        let path = self.0.join(format!("pod{uid}"));
        fs::create_dir(&path).with_context(|| format!("make {}", path.display()))?;
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Runs a program in it and in a network namespace, to its end.
    pub fn run(&self, netns: &Netns, program: &str, arguments: &[&str]) -> Result<String> {
        netns.run("sh", &self.inside(program, arguments))
    }

    /// Starts a program in it and in a network namespace.
    pub fn start(
        &self,
        netns: &Netns,
        (log, directory): (&str, &Path),
        program: &str,
        arguments: &[&str],
    ) -> Result<Process> {
        Process::start(netns, log, directory, Path::new("sh"), &self.inside(program, arguments))
    }

    /// The arguments by which a shell enters it and becomes the program.
    fn inside(&self, program: &str, arguments: &[&str]) -> Vec<OsString> {
        let enter = format!("echo $$ > {}/cgroup.procs && exec \"$@\"", self.0.display());
        let words = ["-c", &enter, "sh", program].into_iter().chain(arguments.iter().copied());
        words.map(OsString::from).collect()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // It is empty only a moment after its last process ended.
        let _gone = wait::until_true("empty cgroup", SOON, || Ok(fs::remove_dir(&self.0).is_ok()));
    }
}
