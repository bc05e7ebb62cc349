//! A node: its own network, mounts, host name, processes and /run on the machine's one kernel.
//!
//! It is entered by `nsenter`; everything on it descends from one process ([`inside`]), whose end
//! is the end of the node and all its pods.

pub mod inside;

use std::{
    fs::{self, OpenOptions},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result};
use serde_json::Value;

use super::{Place, cgroups, settings};
use crate::{
    kube::{
        ControlPlane,
        keeper::{self, MORTAL},
    },
    lab::{
        Addresses, Netns, command,
        wait::{self, SOON},
    },
};

/// A node that runs until it is dropped.
#[derive(Debug)]
pub struct Node {
    process: Child,
    name: String,
    netns: Netns,
    place: Place,
}

/// The name of a node by its number.
pub fn name(number: u8) -> String {
    format!("node-{number}")
}

impl Node {
    /// Starts one in a network namespace that is connected already.
    pub(super) fn start(
        place: &Place,
        number: u8,
        netns: Netns,
        plane: &ControlPlane,
    ) -> Result<Self> {
        let name = name(number);
        forward(&netns)?;
        cgroups::create(&place.of(&name))?;
        write_files(place, number, plane)?;
        let program = command::product("cluster")?;
        let Addresses { v4, v6 } = Addresses::on_underlay(number);
        let mut words: Vec<_> = UNSHARE.iter().map(|word| (*word).to_owned()).collect();
        words.push(program.display().to_string());
        let kube = plane.program()?.display().to_string();
        let address = format!("{v4},{v6}");
        words.extend(["node", "--place", place.name(), "--name", &name].map(str::to_owned));
        words.extend(["--address", &address, "--kube", &kube].map(str::to_owned));
        let process = start(&netns, &words, &outside(place, &name, "/var/log/node.log"))?;
        Ok(Self { process, name, netns, place: place.clone() })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its network namespace.
    pub fn netns(&self) -> &Netns {
        &self.netns
    }

    /// A path on the node, as seen from outside, below /run or /var.
    pub fn path(&self, inside: &str) -> PathBuf {
        outside(&self.place, &self.name, inside)
    }

    /// Runs a program on the node, to its end.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Result<String> {
        let enter = self.enter();
        let mut words: Vec<_> = enter.iter().skip(1).map(String::as_str).collect();
        words.push(program);
        words.extend(arguments);
        command::run("nsenter", &words)
    }

    /// The words before a command that make it run on the node.
    pub fn enter(&self) -> Vec<String> {
        // Who started the first process inside shares all but the processes with it.
        let outer = self.process.id();
        let processes = format!("--pid=/proc/{outer}/ns/pid_for_children");
        let words =
            ["nsenter", "--target", &outer.to_string(), "--mount", "--net", "--uts", "--ipc"]
                .map(str::to_owned);
        words.into_iter().chain([processes]).collect()
    }

    /// Gives it an image.
    pub fn import(&self, image: &Path) -> Result<()> {
        let file = image.display().to_string();
        let arguments = ["--namespace", "k8s.io", "images", "import", &file];
        self.run("ctr", &arguments).with_context(|| self.last_words("containerd"))?;
        Ok(())
    }

    /// Waits until images can be imported.
    pub(super) fn wait_for_containerd(&self) -> Result<()> {
        let ready = wait::until_true(&format!("containerd of {}", self.name), SOON * 3, || {
            Ok(self.run("ctr", &["version"]).is_ok())
        });
        ready.with_context(|| ["node", "containerd"].map(|name| self.last_words(name)).concat())
    }

    /// The last lines that a program of the node wrote.
    pub fn last_words(&self, program: &str) -> String {
        let log = self.path(&format!("/var/log/{program}.log"));
        format!("--- {program} of {}\n{}", self.name, crate::lab::process::tail(&log, 20))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // The first process inside is killed with it, and with that one everything inside.
        let _killed = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// Starts a command inside a network namespace, which dies with this program.
fn start(netns: &Netns, words: &[String], log: &Path) -> Result<Child> {
    let log = OpenOptions::new().create(true).append(true).open(log)?;
    let mut command = Command::new(MORTAL.0);
    command.args(MORTAL.1).arg("nsenter").arg(format!("--net={}", netns.path().display()));
    command.args(words).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    keeper::spawn(command)
}

/// Where a path of a node is outside of it.
fn outside(place: &Place, node: &str, inside: &str) -> PathBuf {
    let below = |folder: &str| Some(inside.strip_prefix(folder)?.trim_start_matches('/'));
    match (below("/var"), below("/run")) {
        (Some(rest), _) => place.disk().join(node).join(rest),
        (None, rest) => place.run().join(node).join(rest.unwrap_or(inside)),
    }
}

/// Makes the namespace forward, and bridged packets pass where addresses are translated.
fn forward(netns: &Netns) -> Result<()> {
    for key in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
        netns.sysctl(key, "1")?;
    }
    for key in ["bridge/bridge-nf-call-iptables", "bridge/bridge-nf-call-ip6tables"] {
        let set = netns.sysctl(key, "1");
        set.context("the kernel lacks br_netfilter: run `modprobe br_netfilter`")?;
    }
    Ok(())
}

fn write_files(place: &Place, number: u8, plane: &ControlPlane) -> Result<()> {
    let name = name(number);
    let here = outside(place, &name, settings::HERE);
    for directory in [&here.join("cni"), &outside(place, &name, "/var/lib/cni")] {
        fs::create_dir_all(directory)?;
    }
    fs::create_dir_all(outside(place, &name, "/var/log"))?;
    let write = |file: &str, text: String| {
        let path = here.join(file);
        fs::write(&path, text).with_context(|| path.display().to_string())
    };
    let write_json = |file: &str, value: Value| write(file, value.to_string());
    write("containerd.toml", settings::containerd())?;
    write_json("cni/10-pods.conflist", settings::cni(number))?;
    write("resolv.conf", settings::resolv_conf())?;
    write_json("kubelet.yaml", settings::kubelet(&place.of(&name)))?;
    write_json("proxy.yaml", settings::proxy(&name))?;
    fs::copy(plane.root_certificate(), here.join("ca.crt"))?;
    let user = format!("system:node:{name}");
    plane.kubeconfig_of_user(&here.join("kubelet.kubeconfig"), &user, Some("system:nodes"))?;
    plane.kubeconfig_of_user(&here.join("proxy.kubeconfig"), "system:kube-proxy", None)?;
    Ok(())
}

/// What a node has of its own beside the network.
const UNSHARE: &[&str] =
    &["unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc"];

#[cfg(test)]
mod tests;
