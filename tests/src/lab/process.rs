//! A program that runs inside a network namespace until its value is dropped.
//!
//! **Invariant:** no process outlives the thread that started it, even when the test is killed.

use std::{
    ffi::OsStr,
    fs::{self, OpenOptions},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{
    netns::Netns,
    wait::{self, SOON},
};

/// A running program; killed and reaped when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    output: PathBuf,
    errors: PathBuf,
    /// Where its own output begins in a file that an earlier one may have written.
    begin: usize,
}

impl Process {
    /// Starts a program inside a network namespace; its output is appended to `NAME.out` and
    /// `NAME.err` of `logs`.
    pub fn start<A: AsRef<OsStr>>(
        netns: &Netns,
        name: &str,
        logs: &Path,
        program: &Path,
        arguments: &[A],
    ) -> Result<Self> {
        let netns = format!("--net={}", netns.path().display());
        let enter = ["nsenter".as_ref(), netns.as_ref(), program.as_os_str()];
        Self::spawn(name, logs, &enter, arguments)
    }

    /// The same in the network namespace of the test.
    pub fn start_here<A: AsRef<OsStr>>(
        name: &str,
        logs: &Path,
        program: &Path,
        arguments: &[A],
    ) -> Result<Self> {
        Self::spawn(name, logs, &[program.as_os_str()], arguments)
    }

    fn spawn<A: AsRef<OsStr>>(
        name: &str,
        logs: &Path,
        program: &[&OsStr],
        arguments: &[A],
    ) -> Result<Self> {
        let (output, errors) = (logs.join(format!("{name}.out")), logs.join(format!("{name}.err")));
        let begin = fs::read(&output).map_or(0, |earlier| earlier.len());
        // Each tool executes the next one, so the child's id is the program's own.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .args(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(OpenOptions::new().create(true).append(true).open(&output)?)
            .stderr(OpenOptions::new().create(true).append(true).open(&errors)?)
            .spawn()
            .with_context(|| format!("start {}", program.join(" ".as_ref()).display()))?;
        Ok(Self { name: name.to_owned(), child, output, errors, begin })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it printed so far.
    pub fn output(&self) -> Result<String> {
        let all = fs::read(&self.output)?;
        Ok(String::from_utf8_lossy(all.get(self.begin..).unwrap_or_default()).into_owned())
    }

    /// Waits until it has printed a text; an error quotes what it complained of.
    pub fn wait_for(&mut self, text: &str) -> Result<()> {
        let what = format!("{text:?} from {}", self.name);
        wait::until_true(&what, SOON, || {
            self.is_alive()?;
            Ok(self.output()?.contains(text))
        })
    }

    /// Fails when it has ended, quoting its last words.
    pub fn is_alive(&mut self) -> Result<()> {
        let ended = self.child.try_wait()?;
        ensure!(ended.is_none(), "{} ended: {ended:?}\n{}", self.name, tail(&self.errors, 20));
        Ok(())
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill(Pid::from_raw(i32::try_from(self.child.id())?), signal)?)
    }

    /// Waits until it ends by itself.
    pub fn wait(&mut self, deadline: Duration) -> Result<ExitStatus> {
        let what = format!("end of {}", self.name);
        wait::until(&what, deadline, || Ok(self.child.try_wait()?))
    }

    /// Its resident memory.
    pub fn resident_bytes(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib: u64 = line.context("no VmRSS")?.trim().trim_end_matches(" kB").parse()?;
        Ok(kib * 1024)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when it is gone already.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// The last lines of a file, for messages.
pub(crate) fn tail(path: &Path, lines: usize) -> String {
    let text = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let skip = text.lines().count().saturating_sub(lines);
    text.lines().skip(skip).fold(String::new(), |all, line| all + line + "\n")
}
