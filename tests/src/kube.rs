//! A real control plane for tests: etcd and kube-apiserver, with the Gateway API's and Istio's
//! CustomResourceDefinitions, on loopback addresses that no other process has.
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! use waypoint_tests::kube::ControlPlane;
//! let plane = ControlPlane::shared()?;
//! let shop = plane.namespace("shop")?;
//! plane.kubectl(&["label", "namespace", &shop, "istio.io/dataplane-mode=ambient"])?;
//! # Ok(())
//! # }
//! ```
//!
//! What is real: admission, validation with CEL, RBAC, server-side apply, watches, tokens. Without
//! [`ControlPlane::run_controllers`] nobody makes default ServiceAccounts, EndpointSlices and
//! `kube-root-ca.crt`, and neither namespaces nor what an owner leaves behind are ever removed.
//! There are no nodes: what a kubelet would write, a test writes.
//!
//! Clients reach the API server through a relay, whose connections a test can cut, and whose
//! address stays when the API server comes back elsewhere.
//!
//! **Invariant:** nothing outlives the test program, however that ends: the processes are killed by
//! the kernel, and what they wrote is removed by the next control plane that starts.

mod accounts;
mod controllers;
mod directory;
mod door;
mod etcd;
mod faults;
pub(crate) mod keeper;
mod kubeconfig;
mod kubectl;
mod nodes;
mod part;
mod pki;
mod programs;
mod relay;
mod server;
mod template;

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError, Weak},
};

use anyhow::{Result, anyhow};

use crate::lab::Netns;

pub use door::Door;
pub use nodes::Scheduler;

use controllers::Controllers;
use directory::Directory;
use etcd::Etcd;
use kubeconfig::Identity;
use pki::Pki;
use programs::Programs;
use relay::Relay;
use server::Server;

/// A control plane that runs until it is dropped.
// Fields are dropped in this order: first what runs, then where it runs.
#[derive(Debug)]
pub struct ControlPlane {
    controllers: Mutex<Option<Controllers>>,
    server: Mutex<Option<Server>>,
    etcd: Etcd,
    relay: Relay,
    doors: Mutex<Vec<Weak<Relay>>>,
    pki: Pki,
    programs: Programs,
    directory: Directory,
    place: Place,
    kubeconfig: PathBuf,
}

/// Where a control plane listens.
#[derive(Clone, Debug)]
struct Place {
    /// The network namespace, if not the test's own.
    netns: Option<PathBuf>,
    /// Where clients find it, the first of them by preference; none for an address of its own.
    addresses: Vec<IpAddr>,
}

impl ControlPlane {
    /// The control plane that all tests of this program share.
    pub fn shared() -> Result<&'static Self> {
        static SHARED: OnceLock<Result<ControlPlane>> = OnceLock::new();
        let shared = SHARED.get_or_init(Self::start);
        shared.as_ref().map_err(|error| anyhow!("the shared control plane: {error:#}"))
    }

    /// One of the test's own, for faults.
    pub fn start() -> Result<Self> {
        Self::start_at(Place { netns: None, addresses: Vec::new() })
    }

    /// The same inside a network namespace, on port [`PORT`] of addresses that it has.
    pub fn start_in(netns: &Netns, addresses: &[IpAddr]) -> Result<Self> {
        Self::start_at(Place { netns: Some(netns.path()), addresses: addresses.to_vec() })
    }

    /// With a controller-manager: default accounts, EndpointSlices, garbage collection, removal of
    /// namespaces.
    pub fn with_controller_manager(self) -> Result<Self> {
        self.run_controllers()?;
        Ok(self)
    }

    /// The administrator's credentials.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Where clients dial it.
    pub fn address(&self) -> SocketAddr {
        self.relay.address()
    }

    /// Its files: logs of all its parts, and what tests put beside them.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn start_at(place: Place) -> Result<Self> {
        let programs = Programs::find()?;
        let template = template::ensure(&programs)?;
        let directory = Directory::create()?;
        template.copy_to(&directory.path().join(etcd::STATE))?;
        Self::assemble(programs, directory, place)
    }

    /// Starts every part on what the directory has in store.
    fn assemble(programs: Programs, directory: Directory, place: Place) -> Result<Self> {
        let own = directory.loopback().into();
        let pki = Pki::create(directory.path(), &[&[own], &*place.addresses].concat())?;
        let etcd = Etcd::start(&programs, directory.path())?;
        let relay = relay::in_front(&place, directory.loopback())?;
        let kubeconfig = directory.path().join("admin.kubeconfig");
        let known = Identity::certificate(&pki.administrator);
        kubeconfig::write(&kubeconfig, relay.address(), &pki.root, &known)?;
        let plane = Self {
            controllers: Mutex::new(None),
            server: Mutex::new(None),
            etcd,
            relay,
            doors: Mutex::new(Vec::new()),
            pki,
            programs,
            directory,
            place,
            kubeconfig,
        };
        plane.start_api_server()?;
        Ok(plane)
    }
}

/// The port on addresses that a test chose.
pub const PORT: u16 = 6443;

/// A test that panics leaves what it held as it was; that is as good as any other state.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
