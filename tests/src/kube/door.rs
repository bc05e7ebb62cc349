//! A way to a control plane from inside a network namespace from which no route leads there.

use std::{
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Result;

use super::{
    ControlPlane,
    kubeconfig::{self, Identity},
    lock,
    relay::{self, Relay},
};
use crate::lab::Netns;

/// A loopback address of a namespace behind which a control plane is; as long as this value lives.
#[derive(Debug)]
pub struct Door {
    relay: Arc<Relay>,
    kubeconfig: PathBuf,
}

impl Door {
    /// The administrator's credentials for processes in that namespace.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }
}

impl ControlPlane {
    /// Opens a door in a namespace.
    pub fn door_in(&self, netns: &Netns) -> Result<Door> {
        self.hang(netns.name(), relay::door_in(netns)?)
    }

    fn hang(&self, name: &str, relay: Relay) -> Result<Door> {
        let relay = Arc::new(relay);
        if let Some(server) = lock(&self.server).as_ref() {
            relay.aim(server.address());
        }
        let kubeconfig = self.directory.path().join(format!("{name}.kubeconfig"));
        let known = Identity::certificate(&self.pki.administrator);
        kubeconfig::write(&kubeconfig, relay.address(), &self.pki.root, &known)?;
        let mut doors = lock(&self.doors);
        doors.retain(|door| door.strong_count() > 0);
        doors.push(Arc::downgrade(&relay));
        Ok(Door { relay, kubeconfig })
    }

    /// Opens a door for the programs of this machine to a control plane inside a namespace.
    pub fn door_outside(&self) -> Result<Door> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let relay = Relay::start(self.place.netns.as_deref(), move || Ok(vec![listener]))?;
        self.hang("outside", relay)
    }

    pub(super) fn each_door(&self, mut act: impl FnMut(&Relay)) {
        lock(&self.doors).iter().filter_map(std::sync::Weak::upgrade).for_each(|door| act(&door));
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.relay.cut();
    }
}
