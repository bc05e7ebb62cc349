//! One process of `waypointd`, as an operator sees it: an admin socket and two streams of lines.
//!
//! It knows nothing of the roles.

use std::{ffi::OsString, fs, os::unix::net::UnixStream, path::PathBuf, process::ExitStatus};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;

use super::{
    command,
    http::{Connection, Reply, Request},
    metrics::Metrics,
    name::Name,
    netns::Netns,
    process::{self, Process},
    tenancy::Expectation,
    wait::{self, SOON},
};

/// A process, running or not; it and its files go when dropped.
#[derive(Debug)]
pub struct Daemon {
    name: Name,
    process: Option<Process>,
}

impl Daemon {
    /// One that does not run yet; its files carry the name.
    pub fn new(name: Name) -> Result<Self> {
        fs::create_dir_all(name.directory())?;
        Ok(Self { name, process: None })
    }

    /// Starts it in a namespace.
    pub fn launch(&mut self, netns: &Netns, arguments: &[OsString]) -> Result<()> {
        self.launch_within(netns, &[], arguments)
    }

    /// Starts it in a namespace, by a command that executes what follows it.
    pub fn launch_within(
        &mut self,
        netns: &Netns,
        around: &[OsString],
        arguments: &[OsString],
    ) -> Result<()> {
        ensure!(self.process.is_none(), "{} runs already", self.name);
        let program = command::product("waypointd")?.into_os_string();
        let words = [around, &[program], arguments].concat();
        let (first, rest) = words.split_first().context("a program")?;
        self.process = Some(Process::start(netns, LOG, &self.logs(), first.as_ref(), rest)?);
        Ok(())
    }

    /// Lets another one be started in its place, which it may go on beside.
    pub fn step_aside(&mut self) -> Result<Process> {
        self.process.take().context("there is nothing to succeed")
    }

    /// Waits until it says that it is ready and what it was told is in force.
    pub fn wait_until_ready(&mut self) -> Result<()> {
        let what = format!("ready {}", self.name);
        let ready = wait::until(&what, SOON * 2, || {
            if let Err(dead) = self.process()?.is_alive() {
                return Ok(Some(Err(dead)));
            }
            let ready = self.ask("/healthz/ready")?.status == 200;
            Ok((ready && self.generation()? != Some(0.0)).then_some(Ok(())))
        });
        ready.flatten().with_context(|| self.last_words(20))
    }

    /// Kills it without a warning.
    pub fn kill(&mut self) -> Result<()> {
        let process = self.process.take();
        drop(process.context("it does not run")?);
        Ok(())
    }

    /// Asks it to end.
    pub fn ask_to_end(&self) -> Result<()> {
        self.process.as_ref().context("it does not run")?.signal(Signal::SIGTERM)
    }

    /// Asks it to end and waits until it has.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        self.ask_to_end()?;
        let mut process = self.process.take().context("it does not run")?;
        process.wait(SOON * 3)
    }

    /// Whether it was started and not ended by the lab.
    pub fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// The running process.
    pub fn process(&mut self) -> Result<&mut Process> {
        self.process.as_mut().context("it does not run")
    }

    /// Asks its admin socket for a page.
    pub fn ask(&self, path: &str) -> Result<Reply> {
        self.command("GET", path)
    }

    /// Sends its admin socket a request with any method.
    pub fn command(&self, method: &str, path: &str) -> Result<Reply> {
        let stream = UnixStream::connect(self.admin()).context("connect to the admin socket")?;
        stream.set_read_timeout(Some(SOON))?;
        let mut request = Request::get("admin");
        method.clone_into(&mut request.method);
        path.clone_into(&mut request.path);
        Connection::over(stream).exchange(&request)
    }

    /// Scrapes its metrics.
    pub fn metrics(&self) -> Result<Metrics> {
        let reply = self.ask("/metrics")?;
        ensure!(reply.status == 200, "/metrics answered {}", reply.status);
        Ok(Metrics::parse(&reply.text()))
    }

    /// How many readings of the manifests are in force; nothing where that is not told.
    pub fn generation(&self) -> Result<Option<f64>> {
        let metrics = self.metrics()?;
        let family = GENERATIONS.iter().find(|family| metrics.has(family, &[]));
        Ok(family.map(|family| metrics.sum(family, &[])))
    }

    /// Waits until what was written to a control plane is read, and in force.
    pub(super) fn wait_until_read(&self, expectation: &Expectation) -> Result<()> {
        let what = format!("version that was written, in {}", self.name);
        let read = wait::until(&what, SOON, || {
            let metrics = self.metrics()?;
            let read = metrics.sum(READ, &[]);
            Ok(expectation.is_met_by(&metrics).then_some(read))
        });
        let read = read.with_context(|| self.last_words(20))?;
        let what = format!("reading {read} in force in {}", self.name);
        wait::until_true(&what, SOON, || Ok(self.generation()? >= Some(read)))
            .with_context(|| self.last_words(20))
    }

    /// Its access log so far.
    pub fn access_log(&self) -> Result<Vec<Value>> {
        let text = fs::read(self.logs().join(format!("{LOG}.out")))?;
        let text = String::from_utf8_lossy(&text);
        // The last line may still be on its way.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole
            .lines()
            .map(|line| serde_json::from_str(line).with_context(|| format!("not JSON: {line}")))
            .collect()
    }

    /// Waits for a line of the access log, after a number of others.
    pub fn wait_for_line(
        &self,
        what: &str,
        after: usize,
        matches: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        wait::until(&format!("access log line: {what}"), SOON, || {
            Ok(self.access_log()?.into_iter().skip(after).find(&matches))
        })
    }

    /// What it wrote to stderr so far.
    pub fn log(&self) -> Result<String> {
        let file = self.logs().join(format!("{LOG}.err"));
        Ok(String::from_utf8_lossy(&fs::read(file)?).into_owned())
    }

    /// The last lines of both streams.
    pub fn last_words(&self, lines: usize) -> String {
        let tail = |end| process::tail(&self.logs().join(format!("{LOG}.{end}")), lines);
        let name = &self.name;
        format!("--- log of {name}\n{}--- access log of {name}\n{}", tail("err"), tail("out"))
    }

    /// What its files are named after.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The socket on which it answers questions.
    pub fn admin(&self) -> PathBuf {
        admin_of(&self.name)
    }

    fn logs(&self) -> PathBuf {
        self.name.directory()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.process = None;
        self.name.scrub();
    }
}

/// The socket on which a process of this name answers questions.
pub(super) fn admin_of(name: &Name) -> PathBuf {
    name.directory().join("admin.sock")
}

/// The argument pair that says so.
pub(super) fn admin_arguments(name: &Name) -> [OsString; 2] {
    ["--admin".into(), format!("unix:{}", admin_of(name).display()).into()]
}

const LOG: &str = "waypointd";
const READ: &str = "waypoint_config_generation";
/// By role; a process exports at most one of them.
const GENERATIONS: &[&str] = &["waypoint_data_path_generation", "waypoint_config_generation"];
