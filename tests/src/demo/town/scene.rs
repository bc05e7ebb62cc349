//! The cluster with the shop in it, and asking and changing things there as a person would.

use std::{
    fs::{self, File},
    net::IpAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::documents::commands;
use crate::{
    cluster::{Cluster, write_script},
    demo::{answer::Answer, narrator},
    lab::{
        command,
        wait::{self, SOON},
    },
};

/// A cluster, and the programs to use it by.
#[derive(Debug)]
pub(super) struct Scene<'c> {
    /// Where it happens.
    pub(super) cluster: &'c Cluster,
    kube: PathBuf,
    waypointctl: PathBuf,
    /// Both, under their names.
    bin: PathBuf,
    acts: usize,
}

/// Requests that go on in a pod until they are counted.
#[derive(Debug)]
pub(super) struct Requests {
    child: Child,
    output: PathBuf,
}

impl<'c> Scene<'c> {
    /// An untouched cluster.
    pub(super) fn new(cluster: &'c Cluster) -> Result<Self> {
        let kube = cluster.plane().program()?;
        let waypointctl = command::product("waypointctl")?;
        let bin = cluster.place().run().join("words");
        fs::create_dir_all(&bin)?;
        write_script(&bin.join("kubectl"), &format!("exec {} kubectl \"$@\"", kube.display()))?;
        write_script(&bin.join("waypointctl"), &format!("exec {} \"$@\"", waypointctl.display()))?;
        Ok(Self { cluster, kube, waypointctl, bin, acts: 0 })
    }

    /// Shows a line of shell and runs it as it is.
    pub(super) fn shell(&self, line: &str) -> Result<String> {
        narrator::typed(line);
        let patience = PATIENCE.as_secs().to_string();
        let mut command = self.command(Path::new("timeout"));
        let script = format!("PATH='{}':$PATH\n{line}", self.bin.display());
        let output =
            command.args([&patience, "sh", "-c", &script]).stdin(Stdio::null()).output()?;
        let printed = [output.stdout, output.stderr].concat();
        let printed = String::from_utf8_lossy(&printed).into_owned();
        narrator::came_back(&shortened(&printed));
        ensure!(output.status.success(), "{line}: {}: {printed}", output.status);
        Ok(printed)
    }

    /// Begins the next act.
    pub(super) fn act(&mut self, title: &str, why: &str) {
        self.acts += 1;
        narrator::title(&format!("{}. {title}", self.acts));
        narrator::say(why);
    }

    /// Shows a kubectl command, runs it, and yields what it printed.
    pub(super) fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        narrator::typed(&format!("kubectl {}", words(arguments)));
        let (printed, ended) = self.ran(&self.kube, &[&["kubectl"], arguments].concat())?;
        narrator::came_back(&shortened(&printed));
        ensure!(ended, "kubectl {}: {printed}", words(arguments));
        Ok(printed)
    }

    /// Asks by kubectl without showing it.
    pub(super) fn ask_quietly(&self, arguments: &[&str]) -> Result<String> {
        let (printed, ended) = self.ran(&self.kube, &[&["kubectl"], arguments].concat())?;
        ensure!(ended, "kubectl {}: {printed}", words(arguments));
        Ok(printed.trim().to_owned())
    }

    /// Shows a waypointctl command, runs it, and yields what it printed and whether it succeeded.
    pub(super) fn waypointctl(&self, arguments: &[&str]) -> Result<(String, bool)> {
        narrator::typed(&format!("waypointctl {}", words(arguments)));
        let (printed, ended) = self.ran(&self.waypointctl, arguments)?;
        narrator::came_back(&printed);
        Ok((printed, ended))
    }

    /// Asks a service from a pod once.
    pub(super) fn ask(&self, pod: &str, service: &str, arguments: &[&str]) -> Result<Answer> {
        let url = format!("http://{service}/");
        let started = Instant::now();
        let words = [&["-sSi", "--max-time", "10"], arguments, &[&url]].concat();
        let (printed, _) = self.curl(pod, &words)?;
        let answer = Answer::read(&printed, &printed, started.elapsed());
        narrator::came_back(&answer.to_string());
        Ok(answer)
    }

    /// Asks a service until an answer is as it must become, and yields the last.
    pub(super) fn ask_until(
        &self,
        (pod, service): (&str, &str),
        arguments: &[&str],
        is_it: impl Fn(&Answer) -> bool,
    ) -> Result<Answer> {
        let mut last = None;
        let _in_time = wait::until_true("the expected answer", SOON * 2, || {
            let answer = self.ask(pod, service, arguments)?;
            let holds = is_it(&answer);
            last = Some(answer);
            Ok(holds)
        });
        last.context("curl does not run")
    }

    /// Asks a service many times, and yields the bodies.
    pub(super) fn ask_often(
        &self,
        pod: &str,
        service: &str,
        arguments: &[&str],
    ) -> Result<Vec<String>> {
        let url = format!("http://{service}/?n=[1-{REQUESTS}]");
        let (printed, _) = self.curl(pod, &[&["-sS"], arguments, &[&url]].concat())?;
        Ok(printed.lines().map(str::to_owned).collect())
    }

    /// Begins asking a service from a pod, each time over a connection of its own.
    pub(super) fn requests(&self, pod: &str, service: &str) -> Result<Requests> {
        let url = format!("http://{service}/?n=[1-1000000]");
        let format = "%{http_code}\\n";
        let curl = ["-s", "-o", "/dev/null", "-w", format, "-H", "Connection: close", &url];
        let exec = exec(pod);
        let arguments = [&exec.iter().map(String::as_str).collect::<Vec<_>>(), &curl[..]].concat();
        narrator::typed(&format!("kubectl {} &", words(&arguments)));
        let output = self.cluster.place().run().join("requests");
        let file = File::create(&output)?;
        let mut command = self.command(&self.kube);
        command.arg("kubectl").args(&arguments).stdin(Stdio::null());
        let child = command.stdout(file).stderr(Stdio::null()).spawn()?;
        Ok(Requests { child, output })
    }

    /// The address of a pod, by its app's name.
    pub(super) fn address(&self, app: &str) -> Result<IpAddr> {
        let selector = format!("--selector=app={app}");
        let path = "--output=jsonpath={.items[0].status.podIP}";
        let text = self.ask_quietly(&["-n", NAMESPACE, "get", "pods", &selector, path])?;
        text.parse().with_context(|| format!("the address of {app} is {text:?}"))
    }

    /// The name of a pod, by its app's name.
    pub(super) fn pod(&self, app: &str) -> Result<String> {
        self.pod_with(&format!("app={app}"))
    }

    /// The name of a pod of the shop, by a label.
    pub(super) fn pod_with(&self, label: &str) -> Result<String> {
        let selector = format!("--selector={label}");
        let path = "--output=jsonpath={.items[0].metadata.name}";
        self.ask_quietly(&["-n", NAMESPACE, "get", "pods", &selector, path])
    }

    /// The node of a pod, by its app's name.
    pub(super) fn node(&self, app: &str) -> Result<String> {
        let selector = format!("--selector=app={app}");
        let path = "--output=jsonpath={.items[0].spec.nodeName}";
        self.ask_quietly(&["-n", NAMESPACE, "get", "pods", &selector, path])
    }

    /// Begins to watch connections by `waypointctl observe`.
    pub(super) fn observe(&self, arguments: &[&str]) -> Result<Observing> {
        let arguments = [&["observe"], arguments].concat();
        narrator::typed(&format!("waypointctl {} &", words(&arguments)));
        let mut command = self.command(&self.waypointctl);
        command.args(arguments).stdin(Stdio::null());
        Observing::start(command, &self.cluster.place().run().join("observed"))
    }

    /// What to look at when something went wrong.
    pub(super) fn state(&self) -> String {
        let looks: [&[&str]; 3] = [
            &["get", "pods", "-A", "-o", "wide"],
            &["get", "events", "-A", "--field-selector=type!=Normal"],
            &[
                "-n",
                SYSTEM,
                "logs",
                "-l",
                "app.kubernetes.io/name=waypoint",
                "--tail=15",
                "--prefix",
            ],
        ];
        let said =
            looks.map(|look| self.ask_quietly(look).unwrap_or_else(|error| error.to_string()));
        said.join("\n\n")
    }

    fn curl(&self, pod: &str, arguments: &[&str]) -> Result<(String, bool)> {
        let exec = exec(pod);
        let all = [&exec.iter().map(String::as_str).collect::<Vec<_>>(), arguments].concat();
        narrator::typed(&format!("kubectl {}", words(&all)));
        self.ran(&self.kube, &[&["kubectl"], &all[..]].concat())
    }

    fn ran(&self, program: &Path, arguments: &[&str]) -> Result<(String, bool)> {
        let output = self.command(program).args(arguments).stdin(Stdio::null()).output();
        let output = output.with_context(|| program.display().to_string())?;
        let text = [output.stdout, output.stderr].concat();
        Ok((String::from_utf8_lossy(&text).into_owned(), output.status.success()))
    }

    /// A program as a person starts it at the repository's root.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env("KUBECONFIG", self.cluster.kubeconfig()).current_dir(ROOT);
        command
    }
}

impl Requests {
    /// Waits until a number more of them have been answered.
    pub(super) fn wait_for_more(&self, count: usize) -> Result<()> {
        let enough = self.answers()?.len() + count;
        wait::until_true("answers", SOON * 3, || Ok(self.answers()?.len() >= enough))
    }

    /// Ends them, and yields how many there were and which were not answered by 200.
    pub(super) fn count(mut self) -> Result<(usize, Vec<String>)> {
        let answers = self.answers()?;
        self.child.kill()?;
        self.child.wait()?;
        let failed = answers.iter().filter(|answer| *answer != "200").cloned().collect();
        Ok((answers.len(), failed))
    }

    /// The status of each; 000 where nobody answered.
    fn answers(&self) -> Result<Vec<String>> {
        let text = fs::read_to_string(&self.output)?;
        // The last line may still be on its way.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        Ok(whole.lines().map(str::to_owned).collect())
    }
}

/// Connections that are watched until this is dropped.
#[derive(Debug)]
pub(super) struct Observing {
    child: Child,
    output: PathBuf,
}

impl Observing {
    fn start(mut command: Command, output: &Path) -> Result<Self> {
        let file = File::create(output)?;
        let child = command.stdout(file.try_clone()?).stderr(file).spawn()?;
        Ok(Self { child, output: output.to_owned() })
    }

    /// Does something again and again until a connection is shown that fits.
    pub(super) fn wait_for(
        &self,
        again: impl Fn() -> Result<()>,
        fits: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        wait::until("a connection that is shown", SOON, || {
            again()?;
            let text = fs::read_to_string(&self.output)?;
            let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let found = lines.into_iter().find(|line| fits(line));
            ensure!(found.is_some(), "{text}");
            Ok(found)
        })
    }
}

impl Drop for Observing {
    fn drop(&mut self) {
        // Both fail only when it has ended.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// The commands that a document gives below a heading.
pub(super) fn documented(document: &str, heading: &str) -> Result<Vec<String>> {
    commands(&Path::new(ROOT).join(document), heading)
}

/// The words that make a command of kubectl run curl in a pod of the shop.
fn exec(pod: &str) -> Vec<String> {
    let pod = format!("deploy/{pod}");
    ["-n", NAMESPACE, "exec", &pod, "--", "curl"].map(str::to_owned).to_vec()
}

fn words(arguments: &[&str]) -> String {
    let quoted = arguments.iter().map(|word| {
        let plain = word
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "-_./:=@,".contains(letter));
        if plain { (*word).to_owned() } else { format!("'{word}'") }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// The first lines of a text, and how many more there are.
fn shortened(text: &str) -> String {
    let count = text.lines().count();
    if count <= LINES {
        return text.to_owned();
    }
    let first: Vec<_> = text.lines().take(LINES).collect();
    format!("{}\n... and {} more lines", first.join("\n"), count - LINES)
}

/// Lines that are shown of what kubectl prints.
const LINES: usize = 12;
/// Requests of [`Scene::ask_often`].
pub(super) const REQUESTS: usize = 200;
/// The shop's namespace.
pub(super) const NAMESPACE: &str = "shop";
/// Waypoint's own.
pub(super) const SYSTEM: &str = "waypoint-system";
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// How long a command may take, as one that waits for a rollout.
const PATIENCE: Duration = Duration::from_mins(3);
