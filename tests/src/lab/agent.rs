//! `waypointd standalone` or `waypointd agent` on a node, with what it leaves there.

use std::{
    ffi::OsString,
    fs,
    ops::{Deref, DerefMut},
    path::PathBuf,
};

use anyhow::{Context, Result};

use super::{
    authority::Admittance,
    command,
    daemon::{self, Daemon},
    name::Name,
    netns::Netns,
    process::Process,
    wait::{self, SOON},
};

/// How an agent is started.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The directory it reads.
    pub manifests: PathBuf,
    /// The credentials for the control plane that it reads instead, if it does.
    pub kubeconfig: Option<PathBuf>,
    /// Its pins, its run directory and its files carry this name.
    pub name: Name,
    /// The host side of its own veth.
    pub link: String,
    /// The nftables table by which it stands in for a Service proxy.
    pub table: String,
    /// Whether it does so.
    pub service_vips: bool,
    /// The cgroup whose connections it watches, if it watches any.
    pub cgroup: Option<PathBuf>,
    /// Whether it runs as in a pod of the deployment: without privileges.
    pub confined: bool,
    /// What makes it one of several nodes; nothing for `standalone`.
    pub membership: Option<Membership>,
    /// Further arguments of an agent that is alone.
    pub further: Vec<String>,
}

/// Being the agent of one node of several.
#[derive(Clone, Debug)]
pub struct Membership {
    /// The node's name.
    pub node: String,
    /// What proves that to the certificate authority.
    pub admittance: Admittance,
    /// Further arguments.
    pub further: Vec<String>,
}

impl Settings {
    /// The socket on which the agent answers questions.
    pub fn admin(&self) -> PathBuf {
        daemon::admin_of(&self.name)
    }

    /// The agent's arguments, as a person would type them.
    pub fn arguments(&self) -> Vec<OsString> {
        let role = if self.membership.is_some() { "agent" } else { "standalone" };
        let mut arguments: Vec<OsString> = vec![role.into()];
        arguments.extend(match &self.kubeconfig {
            Some(file) => ["--kubeconfig".into(), file.into()],
            None => ["--manifests".into(), (&self.manifests).into()],
        });
        if let Some(Membership { node, admittance, further }) = &self.membership {
            arguments.extend(["--node".into(), node.into()]);
            arguments.extend(admittance.arguments());
            arguments.extend(further.iter().map(OsString::from));
        }
        arguments.extend(self.further.iter().map(OsString::from));
        arguments.extend(self.traces());
        arguments.extend(daemon::admin_arguments(&self.name));
        if let Some(cgroup) = &self.cgroup {
            arguments.extend(["--cgroup".into(), cgroup.into()]);
        }
        if self.service_vips {
            arguments.push("--service-vips".into());
        }
        arguments
    }

    /// Starts a process of it.
    fn launch(&self, daemon: &mut Daemon, node: &Netns) -> Result<()> {
        if !self.confined {
            return daemon.launch(node, &self.arguments());
        }
        let mut init: Vec<OsString> = vec!["init".into()];
        init.extend(self.traces());
        node.run(&command::product("waypointd")?, &init)?;
        let around: Vec<OsString> = CONFINED.iter().map(OsString::from).collect();
        daemon.launch_within(node, &around, &self.arguments())
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
    daemon: Daemon,
}

impl Agent {
    /// Starts it and waits until it says that it is ready.
    pub fn start(node: &Netns, settings: Settings) -> Result<Self> {
        let mut agent = Self::launch(node, settings)?;
        agent.wait_until_ready()?;
        Ok(agent)
    }

    /// Starts it.
    pub fn launch(node: &Netns, settings: Settings) -> Result<Self> {
        let mut daemon = Daemon::new(settings.name.clone())?;
        settings.launch(&mut daemon, node)?;
        Ok(Self { settings, daemon })
    }

    /// Starts it again, with the same settings, and waits until it is ready and the manifests are
    /// in force.
    pub fn resume(&mut self, node: &Netns) -> Result<()> {
        self.settings.launch(&mut self.daemon, node)?;
        self.daemon.wait_until_ready()
    }

    /// Gives it further arguments from its next start on.
    pub fn add_arguments(&mut self, further: &[&str]) -> Result<()> {
        let membership = self.settings.membership.as_mut().context("it is alone on its node")?;
        membership.further.extend(further.iter().map(|word| (*word).to_owned()));
        Ok(())
    }

    /// Lets it run without privileges from its next start on.
    pub fn confine(&mut self) {
        self.settings.confined = true;
    }

    /// Watches another cgroup, or none, from its next start on.
    pub fn watch(&mut self, cgroup: Option<PathBuf>) {
        self.settings.cgroup = cgroup;
    }

    /// Starts another one with the same settings, and waits until that has taken over and is ready.
    /// The former goes on with what it has, and ends by itself.
    pub fn succeed(&mut self, node: &Netns) -> Result<Process> {
        let former = self.daemon.step_aside()?;
        self.settings.launch(&mut self.daemon, node)?;
        let lock = self.settings.name.run_dir().join("lock");
        wait::until_true("a successor that has taken over", SOON, || {
            let process = self.daemon.process()?;
            process.is_alive()?;
            Ok(fs::read_to_string(&lock)?.trim() == process.id().to_string())
        })?;
        self.daemon.wait_until_ready()?;
        Ok(former)
    }

    /// Removes every trace of it from the node, by its own command.
    pub fn cleanup(&self, node: &Netns) -> Result<String> {
        let program = command::product("waypointd")?;
        let mut arguments = vec!["cleanup".into()];
        arguments.extend(self.settings.traces());
        node.run(&program, &arguments)
    }

    /// How it was started.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}

impl Deref for Agent {
    type Target = Daemon;

    fn deref(&self) -> &Daemon {
        &self.daemon
    }
}

impl DerefMut for Agent {
    fn deref_mut(&mut self) -> &mut Daemon {
        &mut self.daemon
    }
}

/// What the container of the deployment is: these capabilities and no other, mounts of its own in
/// which those of the host appear but not the other way round, and a `/proc/sys` to be read.
const CONFINED: &[&str] = &[
    "setpriv",
    "--inh-caps=-all",
    "--bounding-set=-all,+bpf,+perfmon,+net_admin,+sys_admin,+sys_ptrace",
    "--no-new-privs",
    "unshare",
    "--mount",
    "--propagation=slave",
    "sh",
    "-ec",
    "mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys; exec \"$@\"",
    "sh",
];
