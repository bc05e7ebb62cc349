//! The certificate authority of a lab: `waypointd controller` on the underlay, and the tokens that
//! it believes.

use std::{ffi::OsString, fs, net::SocketAddr, path::PathBuf};

use anyhow::{Context, Result};
use tokio::runtime::Builder;

use super::{
    address::{Addresses, Family},
    command,
    daemon::{self, Daemon},
    manifests::Manifests,
    name::Name,
    netns::Netns,
    tenancy::SYSTEM,
    underlay::Underlay,
};
use crate::wire::{self, Credentials, Desk};

/// The controller, in a namespace of its own.
// Fields are dropped in this order: first what runs, then where it runs.
#[derive(Debug)]
pub struct Authority {
    daemon: Daemon,
    netns: Netns,
    settings: Settings,
    /// The directory that it reads.
    manifests: PathBuf,
    /// The credentials for the control plane that it reads instead, if it does.
    kubeconfig: Option<PathBuf>,
}

/// How it is started.
#[derive(Debug)]
pub struct Settings {
    /// The family in which it is dialled.
    pub family: Family,
    /// How long its certificates hold, if not as long as they do by default.
    pub certificate_seconds: Option<u64>,
    /// Whether it sees to the Gateways of a control plane.
    pub governs: bool,
}

/// What a process shows to the authority, and what it knows it by.
#[derive(Clone, Debug)]
pub struct Admittance {
    address: SocketAddr,
    root: PathBuf,
    token: PathBuf,
    revoked: PathBuf,
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
    pub fn arguments(&self) -> [OsString; 10] {
        let Self { address, root, token, revoked } = self;
        [
            "--ca-address".into(),
            address.to_string().into(),
            "--ca-root".into(),
            root.into(),
            "--ca-token".into(),
            token.into(),
            "--ca-name".into(),
            NAME.into(),
            "--crl".into(),
            revoked.into(),
        ]
    }
}

impl Authority {
    /// Starts it on the underlay, and waits until it is ready. Nothing is revoked yet.
    pub fn start(
        lab: &Name,
        underlay: &Underlay,
        nodes: &[u8],
        manifests: &Manifests,
        settings: Settings,
    ) -> Result<Self> {
        let netns = Netns::create(&[lab.of(ROLE)])?.remove(0);
        underlay.plug(&netns, MEMBER)?;
        underlay.route(&netns, nodes.iter().copied())?;
        let daemon = Daemon::new(lab.part(ROLE))?;
        let kubeconfig = manifests.door_in(&netns)?;
        let manifests = manifests.directory().to_owned();
        let mut authority = Self { daemon, netns, settings, manifests, kubeconfig };
        authority.resume()?;
        authority.put(REVOKED, "")?;
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
        self.directory().join(ROOTS)
    }

    /// Where it is dialled.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(Addresses::on_underlay(MEMBER).of(self.settings.family), PORT)
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
        let (key, certificate) = (self.read(CA_KEY)?, self.read(CA_CERT)?);
        wire::Authority::of(&key, &certificate, &self.read(ROOTS)?)
    }

    /// Replaces the list of what is revoked, by serial numbers.
    pub fn revoke(&self, serials: &[&[u8]]) -> Result<()> {
        self.put(REVOKED, &self.impostor()?.revocation_list(serials)?)
    }

    /// Reads one of its files.
    pub fn read(&self, file: &str) -> Result<String> {
        let path = self.directory().join(file);
        fs::read_to_string(&path).with_context(|| path.display().to_string())
    }

    /// Replaces one of its files as an operator should: in one step.
    pub fn put(&self, file: &str, text: &str) -> Result<()> {
        let path = self.directory().join(file);
        let beside = path.with_extension("next");
        fs::write(&beside, text)?;
        fs::rename(&beside, &path).with_context(|| format!("write {}", path.display()))
    }

    fn admit(&self, option: &str, name: &str) -> Result<Admittance> {
        let program = command::product("waypointd")?;
        let directory = self.directory();
        let arguments: [OsString; 5] =
            ["token".into(), "--ca-dir".into(), (&directory).into(), option.into(), name.into()];
        let text = command::run(&program.to_string_lossy(), &arguments)?;
        let file = format!("{}.token", name.replace('/', "-"));
        let token = self.daemon.name().directory().join(file);
        fs::write(&token, text.trim()).with_context(|| token.display().to_string())?;
        let revoked = directory.join(REVOKED);
        Ok(Admittance { address: self.address(), root: self.root(), token, revoked })
    }

    /// Its arguments, as a person would type them.
    pub fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["controller".into()];
        arguments.extend(self.source());
        arguments.extend([
            "--ca-dir".into(),
            self.directory().into(),
            "--ca-listen".into(),
            self.address().to_string().into(),
            "--ca-name".into(),
            NAME.into(),
        ]);
        if let Some(seconds) = self.settings.certificate_seconds {
            arguments.extend(["--certificate-seconds".into(), seconds.to_string().into()]);
        }
        arguments.extend(daemon::admin_arguments(self.daemon.name()));
        arguments
    }

    fn source(&self) -> Vec<OsString> {
        let Some(kubeconfig) = &self.kubeconfig else {
            return vec!["--manifests".into(), (&self.manifests).into()];
        };
        let revision = if self.settings.governs { "default" } else { NOBODY_S };
        ["--namespace", SYSTEM, "--identity", ROLE, "--revision", revision, "--kubeconfig"]
            .map(OsString::from)
            .into_iter()
            .chain([kubeconfig.into()])
            .collect()
    }

    fn directory(&self) -> PathBuf {
        self.daemon.name().directory().join("ca")
    }
}

/// What peers may chain to.
pub const ROOTS: &str = "root-cert.pem";
/// What signs.
pub const CA_CERT: &str = "ca-cert.pem";
/// The key of what signs.
pub const CA_KEY: &str = "ca-key.pem";
const REVOKED: &str = "revoked.pem";
/// Its number on the underlay.
const MEMBER: u8 = 254;
const PORT: u16 = 15012;
const NAME: &str = "waypoint.waypoint-system.svc";
/// A revision that no Gateway has.
const NOBODY_S: &str = "nobody-s";
const ROLE: &str = "controller";
