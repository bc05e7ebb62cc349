//! `waypointd standalone`, as an operator sees it: a process, an admin socket, two streams of
//! lines.

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
    wait::{self, SOON},
};

/// How an agent is started.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The directory it reads.
    pub manifests: PathBuf,
    /// Its pins, its run directory and its files carry this name.
    pub name: Name,
    /// The host side of its own veth.
    pub link: String,
    /// The nftables table by which it stands in for a Service proxy.
    pub table: String,
    /// Whether it does so.
    pub service_vips: bool,
}

impl Settings {
    /// The socket on which the agent answers questions.
    pub fn admin(&self) -> PathBuf {
        self.name.directory().join("admin.sock")
    }

    /// The agent's arguments, as a person would type them.
    pub fn arguments(&self) -> Vec<OsString> {
        let Self { manifests, service_vips, .. } = self;
        let mut arguments: Vec<OsString> =
            vec!["standalone".into(), "--manifests".into(), manifests.into()];
        arguments.extend(self.traces());
        arguments.extend(["--admin".into(), format!("unix:{}", self.admin().display()).into()]);
        if *service_vips {
            arguments.push("--service-vips".into());
        }
        arguments
    }

    /// The arguments that say what it leaves on the node.
    fn traces(&self) -> Vec<OsString> {
        let Self { name, link, table, .. } = self;
        let pairs: [(&str, OsString); 4] = [
            ("--pin-dir", name.pin_dir().into()),
            ("--run-dir", name.run_dir().into()),
            ("--link", link.into()),
            ("--service-vips-table", table.into()),
        ];
        pairs.into_iter().flat_map(|(option, value)| [option.into(), value]).collect()
    }
}

/// An agent in a node's namespace; it and all its traces go when dropped.
#[derive(Debug)]
pub struct Agent {
    settings: Settings,
    process: Option<Process>,
}

impl Agent {
    /// Starts it and waits until it says that it is ready.
    pub fn start(node: &Netns, settings: Settings) -> Result<Self> {
        fs::create_dir_all(settings.name.directory())?;
        let mut agent = Self { settings, process: None };
        agent.resume(node)?;
        Ok(agent)
    }

    /// Starts it again, with the same settings, and waits until it is ready and the manifests are
    /// in force.
    pub fn resume(&mut self, node: &Netns) -> Result<()> {
        ensure!(self.process.is_none(), "the agent runs already");
        let arguments = self.settings.arguments();
        let program = command::product("waypointd")?;
        let mut process = Process::start(node, "waypointd", &self.logs(), &program, &arguments)?;
        wait::until_true("ready agent", SOON * 2, || {
            process.is_alive()?;
            Ok(self.ask("/healthz/ready")?.status == 200 && self.generation()? > 0.0)
        })
        .with_context(|| self.last_words(20))?;
        self.process = Some(process);
        Ok(())
    }

    /// Kills it without a warning.
    pub fn kill(&mut self) -> Result<()> {
        let process = self.process.take();
        drop(process.context("no agent runs")?);
        Ok(())
    }

    /// Asks it to end.
    pub fn ask_to_end(&self) -> Result<()> {
        self.process.as_ref().context("no agent runs")?.signal(Signal::SIGTERM)
    }

    /// Asks it to end and waits until it has.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        self.ask_to_end()?;
        let mut process = self.process.take().context("no agent runs")?;
        process.wait(SOON * 3)
    }

    /// Whether it was started and not ended by the lab.
    pub fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// The running process.
    pub fn process(&mut self) -> Result<&mut Process> {
        self.process.as_mut().context("no agent runs")
    }

    /// Removes every trace of it from the node, by its own command.
    pub fn cleanup(&self, node: &Netns) -> Result<String> {
        let program = command::product("waypointd")?;
        let mut arguments = vec!["cleanup".into()];
        arguments.extend(self.settings.traces());
        node.run(&program, &arguments)
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

    /// How many readings of the manifests are in force in the kernel.
    pub fn generation(&self) -> Result<f64> {
        Ok(self.metrics()?.sum(GENERATION, &[]))
    }

    /// Its access log so far.
    pub fn access_log(&self) -> Result<Vec<Value>> {
        let text = fs::read(self.logs().join("waypointd.out"))?;
        let text = String::from_utf8_lossy(&text);
        // The last line may still be on its way.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole
            .lines()
            .map(|line| serde_json::from_str(line).with_context(|| format!("not JSON: {line}")))
            .collect()
    }

    /// What it wrote to stderr so far.
    pub fn log(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(self.logs().join("waypointd.err"))?).into_owned())
    }

    /// The last lines of both streams.
    pub fn last_words(&self, lines: usize) -> String {
        let tail = |file| process::tail(&self.logs().join(file), lines);
        format!("--- log\n{}--- access log\n{}", tail("waypointd.err"), tail("waypointd.out"))
    }

    /// How it was started.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The socket on which it answers questions.
    pub fn admin(&self) -> PathBuf {
        self.settings.admin()
    }

    fn logs(&self) -> PathBuf {
        self.settings.name.directory()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.process = None;
        self.settings.name.scrub();
    }
}

const GENERATION: &str = "waypoint_data_path_generation";
