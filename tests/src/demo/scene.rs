//! The shop: its pods and services, and asking and changing things there as a person would.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::answer::Answer;
use super::narrator;
use crate::lab::{Lab, Namespace, Object, Pod, Service};

/// The shop, open.
#[derive(Debug)]
pub(super) struct Scene {
    /// Where it happens.
    pub(super) lab: Lab,
    acts: usize,
}

impl Scene {
    /// Brings up the pods, without any label that would enrol them, and waypointd.
    pub(super) fn open() -> Result<Self> {
        let server = |name: &str, app: &str, version: &str| {
            Pod::server(NAMESPACE, name, app).label("version", version)
        };
        let lab = Lab::new(crate::lab::Family::V4)
            .namespace(Namespace::new(NAMESPACE))
            .pod(Pod::new(NAMESPACE, "web"))
            .pod(Pod::new(NAMESPACE, "guest"))
            .pod(server("catalog", "catalog", "v1"))
            .pod(server("ratings", "ratings", "v1"))
            .pod(server("reviews-v1", "reviews", "v1"))
            .pod(server("reviews-v2", "reviews", "v2"))
            .pod(server("reviews-v3", "reviews", "v3"))
            .service(Service::new(NAMESPACE, "catalog"))
            .service(Service::new(NAMESPACE, "reviews"))
            .service(Service::new(NAMESPACE, "ratings").fails("closed"))
            .file("waypoint.yaml", include_str!("../../../deploy/examples/shop/waypoint.yaml"))
            .start()?;
        let scene = Self { lab, acts: 0 };
        narrator::say("waypointd was started on the node like this:");
        scene.show_agent();
        Ok(scene)
    }

    /// Begins the next act.
    pub(super) fn act(&mut self, title: &str, why: &str) {
        self.acts += 1;
        narrator::title(&format!("{}. {title}", self.acts));
        narrator::say(why);
    }

    /// Asks a service of the shop from a pod, with further arguments for curl.
    pub(super) fn ask(&self, pod: &str, service: &str, arguments: &[&str]) -> Result<Answer> {
        let url = self.url(service, "/")?;
        let (output, complaint, after) =
            self.curl(pod, &[&["-sSi"], arguments, &[&url]].concat())?;
        let answer = Answer::read(&output, &complaint, after);
        narrator::came_back(&answer.to_string());
        Ok(answer)
    }

    /// Asks a service many times over one connection, and yields the bodies.
    pub(super) fn ask_often(
        &self,
        pod: &str,
        service: &str,
        arguments: &[&str],
    ) -> Result<Vec<String>> {
        let url = self.url(service, "/?n=[1-REQUESTS]")?.replace("REQUESTS", &REQUESTS.to_string());
        let (output, ..) = self.curl(pod, &[&["-sS"], arguments, &[&url]].concat())?;
        Ok(output.lines().map(str::to_owned).collect())
    }

    /// The address a pod calls from.
    pub(super) fn address(&self, pod: &str) -> Result<IpAddr> {
        Ok(self.lab.pod_address(pod)?.ip())
    }

    /// Puts one of the example files in force.
    pub(super) fn apply(&mut self, file: &str, text: &str) -> Result<()> {
        let directory = self.manifests();
        let from = format!("deploy/examples/shop/{file}");
        narrator::typed(&format!("cp {from} {}/", directory.display()));
        let content = text.lines().filter(|line| !line.starts_with('#'));
        narrator::came_back(&content.collect::<Vec<_>>().join("\n"));
        self.lab.apply(file, text)
    }

    /// Labels the shop's namespace.
    pub(super) fn label_namespace(&mut self, labels: &[(&str, &str)]) -> Result<()> {
        let file = self.manifests().join(format!("namespace--{NAMESPACE}.yaml"));
        narrator::typed(&format!("$EDITOR {}", file.display()));
        for (key, value) in labels {
            narrator::came_back(&format!("+   {key}: {value}"));
            self.lab.label("Namespace", NAMESPACE, key, value)?;
        }
        Ok(())
    }

    /// Shows what the access log says of the first request that it has.
    pub(super) fn first_line(&self) -> Result<()> {
        let log = self.lab.name().directory().join("waypointd.out");
        narrator::typed(&format!("head -n 1 {}", log.display()));
        let line = self.lab.wait_for_line("any", |_| true)?;
        let fields = LOGGED.iter().filter_map(|name| Some((*name, line.get(name)?)));
        let shown: Vec<_> = fields.map(|(name, value)| format!("\"{name}\": {value}")).collect();
        narrator::came_back(&format!("{{..., {}, ...}}", shown.join(", ")));
        Ok(())
    }

    /// How many connections the kernel has captured so far.
    pub(super) fn captured(&self) -> Result<u64> {
        let agent = self.lab.agent()?;
        let socket = agent.settings().admin().display().to_string();
        narrator::typed(&format!(
            "curl -s --unix-socket {socket} http://waypointd/metrics | grep '{CAPTURED}'"
        ));
        let page = agent.ask("/metrics")?.text();
        let lines: Vec<_> = page.lines().filter(|line| line.contains(CAPTURED)).collect();
        narrator::came_back(&lines.join("\n"));
        self.lab.kernel_counter("captured")
    }

    /// The directory that waypointd reads.
    pub(super) fn manifests(&self) -> PathBuf {
        self.lab.agent_settings().manifests
    }

    /// What a person types before a command to run it in a pod.
    pub(super) fn inside(&self, pod: &str) -> Result<String> {
        Ok(format!("nsenter --net={}", self.lab.from(pod).netns()?.path().display()))
    }

    /// The URL of a service.
    pub(super) fn url(&self, service: &str, path: &str) -> Result<String> {
        Ok(format!("http://{}{path}", self.lab.service_address(service)?))
    }

    /// Shows the command that starts waypointd.
    pub(super) fn show_agent(&self) {
        let arguments = self.lab.agent_settings().arguments();
        let words = arguments.iter().map(|word| word.to_string_lossy().into_owned());
        narrator::typed(&format!("waypointd {}", words.collect::<Vec<_>>().join(" ")));
    }

    /// Shows a curl command, runs it in a pod, and yields its two outputs and the time it took.
    fn curl(&self, pod: &str, arguments: &[&str]) -> Result<(String, String, Duration)> {
        let quoted = arguments.iter().map(|argument| quoted(argument)).collect::<Vec<_>>();
        let inside = self.inside(pod)?;
        narrator::typed(&format!("{inside} curl {}", quoted.join(" ")));
        let mut words = inside.split(' ');
        let program = Path::new(words.next().unwrap_or_default());
        let started = Instant::now();
        let output = Command::new(program)
            .args(words)
            .args(["curl", "--max-time", "10"])
            .args(arguments)
            .output()
            .context("nsenter does not start")?;
        let after = started.elapsed();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok((text(&output.stdout), text(&output.stderr), after))
    }
}

fn quoted(argument: &str) -> String {
    if argument.contains([' ', '[', '?']) { format!("'{argument}'") } else { argument.to_owned() }
}

/// What of a line of the access log tells the story.
const LOGGED: &[&str] = &["method", "path", "response_code", "authority", "upstream_host"];
/// What the lines of the metrics page have that count captured connections.
const CAPTURED: &str = "reason=\"captured\"";
/// Requests of [`Scene::ask_often`].
pub(super) const REQUESTS: usize = 200;
/// The shop's namespace.
pub(super) const NAMESPACE: &str = "shop";
