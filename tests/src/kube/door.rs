//! A way to a control plane from inside a network namespace from which no route leads there.

use std::{
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
        let relay = Arc::new(relay::door_in(netns)?);
        if let Some(server) = lock(&self.server).as_ref() {
            relay.aim(server.address());
        }
        let kubeconfig = self.directory.path().join(format!("{}.kubeconfig", netns.name()));
        let known = Identity::certificate(&self.pki.administrator);
        kubeconfig::write(&kubeconfig, relay.address(), &self.pki.root, &known)?;
        let mut doors = lock(&self.doors);
        doors.retain(|door| door.strong_count() > 0);
        doors.push(Arc::downgrade(&relay));
        Ok(Door { relay, kubeconfig })
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
