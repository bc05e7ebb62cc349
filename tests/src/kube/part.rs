//! One process of a control plane; its output goes to a file.

use std::{
    fs::OpenOptions,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Result, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{
    keeper::{self, MORTAL},
    programs::Program,
};
use crate::lab::{process::tail, wait};

/// A running process; killed and reaped when dropped.
#[derive(Debug)]
pub(super) struct Part {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Part {
    /// Starts a program, inside a network namespace if one is given; its output is appended to
    /// `NAME.log` of a directory.
    pub(super) fn start(
        name: &'static str,
        program: &Program,
        arguments: &[String],
        directory: &Path,
        netns: Option<&Path>,
    ) -> Result<Self> {
        let log = directory.join(format!("{name}.log"));
        let output = OpenOptions::new().create(true).append(true).open(&log)?;
        let mut command = Command::new(MORTAL.0);
        command.args(MORTAL.1);
        if let Some(netns) = netns {
            command.arg("nsenter").arg(format!("--net={}", netns.display()));
        }
        // Each tool executes the next one, so the child's id is the program's own.
        command.args(program.words()).args(arguments);
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        Ok(Self { name, child: keeper::spawn(command)?, log })
    }

    /// Waits for a condition; an error quotes what the process complained of.
    pub(super) fn wait_until(
        &mut self,
        what: &str,
        mut holds: impl FnMut() -> Result<bool>,
    ) -> Result<()> {
        let found = wait::until(what, PATIENCE, || {
            if let Err(ended) = self.is_alive() {
                return Ok(Some(Err(ended)));
            }
            Ok(holds()?.then_some(Ok(())))
        });
        found.flatten().map_err(|error| error.context(tail(&self.log, LAST_WORDS)))
    }

    /// Sends a signal.
    pub(super) fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill(Pid::from_raw(i32::try_from(self.child.id())?), signal)?)
    }

    /// Asks it to end, and waits until it has.
    pub(super) fn stop(&mut self) -> Result<()> {
        self.signal(Signal::SIGTERM)?;
        let what = format!("end of {}", self.name);
        wait::until(&what, PATIENCE, || Ok(self.child.try_wait()?))?;
        Ok(())
    }

    fn is_alive(&mut self) -> Result<()> {
        let ended = self.child.try_wait()?;
        ensure!(ended.is_none(), "{} ended: {ended:?}", self.name);
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Both fail only when it is gone already.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// An API server needs 4 s of a core to start, and may have to share it with much else.
const PATIENCE: Duration = Duration::from_mins(2);
const LAST_WORDS: usize = 15;
