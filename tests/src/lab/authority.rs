//! The certificate authority of a lab: `waypointd controller` on the underlay, and the tokens that
//! it believes.

use std::{ffi::OsString, fs, net::SocketAddr, path::PathBuf};

use anyhow::{Context, Result};
use tokio::runtime::Builder;

use super::{
    address::{Addresses, Family},
    command,
    daemon::{self, Daemon},
    name::Name,
    netns::Netns,
    underlay::Underlay,
};
use crate::wire::{self, Credentials, Desk};

/// The controller, in a namespace of its own.
// Fields are dropped in this order: first what runs, then where it runs.
#[derive(Debug)]
pub struct Authority {
    daemon: Daemon,
    netns: Netns,
    manifests: PathBuf,
    family: Family,
}

/// What a process shows to the authority, and what it knows it by.
#[derive(Clone, Debug)]
pub struct Admittance {
    address: SocketAddr,
    root: PathBuf,
    token: PathBuf,
}

impl Admittance {
    /// Asks, from inside a namespace, for a certificate of an identity.
    pub fn certificate(&self, netns: &Netns, identity: &str) -> Result<Credentials> {
        let desk = Desk {
            address: self.address,
            name: NAME.to_owned(),
            root: fs::read_to_string(&self.root)?,
            token: fs::read_to_string(&self.token)?,
        };
        let runtime = Builder::new_current_thread().enable_all().build()?;
        netns.within(|| runtime.block_on(desk.issue(identity)))
    }

    /// As arguments.
    pub fn arguments(&self) -> [OsString; 8] {
        let Self { address, root, token } = self;
        [
            "--ca-address".into(),
            address.to_string().into(),
            "--ca-root".into(),
            root.into(),
            "--ca-token".into(),
            token.into(),
            "--ca-name".into(),
            NAME.into(),
        ]
    }
}

impl Authority {
    /// Starts it on the underlay, and waits until it is ready; it is dialled in one family.
    pub fn start(
        lab: &Name,
        underlay: &Underlay,
        nodes: &[u8],
        manifests: PathBuf,
        family: Family,
    ) -> Result<Self> {
        let netns = Netns::create(&[lab.of(ROLE)])?.remove(0);
        underlay.plug(&netns, MEMBER)?;
        underlay.route(&netns, nodes.iter().copied())?;
        let daemon = Daemon::new(lab.part(ROLE))?;
        let mut authority = Self { daemon, netns, manifests, family };
        authority.resume()?;
        Ok(authority)
    }

    /// Starts it again.
    pub fn resume(&mut self) -> Result<()> {
        let arguments = self.arguments();
        self.daemon.launch(&self.netns, &arguments)?;
        self.daemon.wait_until_ready()
    }

    /// Its process.
    pub fn daemon(&mut self) -> &mut Daemon {
        &mut self.daemon
    }

    /// Its certificate, by which it is known.
    pub fn root(&self) -> PathBuf {
        self.directory().join("root-cert.pem")
    }

    /// Where it is dialled.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(Addresses::on_underlay(MEMBER).of(self.family), PORT)
    }

    /// Lets an agent in as a node's.
    pub fn admit_node(&self, node: &str) -> Result<Admittance> {
        self.admit("--node", node)
    }

    /// Lets a pod in as a service account's, `namespace/name`.
    pub fn admit_account(&self, account: &str) -> Result<Admittance> {
        self.admit("--service-account", account)
    }

    /// Somebody who can sign as this authority does, without asking it.
    pub fn impostor(&self) -> Result<wire::Authority> {
        let read = |file: &str| {
            let path = self.directory().join(file);
            fs::read_to_string(&path).with_context(|| path.display().to_string())
        };
        wire::Authority::of(&read("ca-key.pem")?, &read("ca-cert.pem")?, &read("root-cert.pem")?)
    }

    fn admit(&self, option: &str, name: &str) -> Result<Admittance> {
        let program = command::product("waypointd")?;
        let directory = self.directory();
        let arguments: [OsString; 5] =
            ["token".into(), "--ca-dir".into(), directory.into(), option.into(), name.into()];
        let text = command::run(&program.to_string_lossy(), &arguments)?;
        let file = format!("{}.token", name.replace('/', "-"));
        let token = self.daemon.name().directory().join(file);
        fs::write(&token, text.trim()).with_context(|| token.display().to_string())?;
        Ok(Admittance { address: self.address(), root: self.root(), token })
    }

    /// Its arguments, as a person would type them.
    pub fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec![
            "controller".into(),
            "--manifests".into(),
            (&self.manifests).into(),
            "--ca-dir".into(),
            self.directory().into(),
            "--ca-listen".into(),
            self.address().to_string().into(),
            "--ca-name".into(),
            NAME.into(),
        ];
        arguments.extend(daemon::admin_arguments(self.daemon.name()));
        arguments
    }

    fn directory(&self) -> PathBuf {
        self.daemon.name().directory().join("ca")
    }
}

/// Its number on the underlay.
const MEMBER: u8 = 254;
const PORT: u16 = 15012;
const NAME: &str = "waypoint.waypoint-system.svc";
const ROLE: &str = "controller";
