//! What a control plane has for real nodes: a scheduler, and credentials for their programs.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use super::{
    ControlPlane,
    kubeconfig::{self, Identity},
    part::Part,
};
use crate::lab::wait::{self, SOON};

/// A running kube-scheduler.
#[derive(Debug)]
pub struct Scheduler {
    _part: Part,
}

impl ControlPlane {
    /// Starts what gives pods their nodes; it runs as long as the value lives.
    pub fn scheduler(&self) -> Result<Scheduler> {
        let kubeconfig = self.kubeconfig.display().to_string();
        let pairs = [
            ("kubeconfig", kubeconfig.clone()),
            ("authentication-kubeconfig", kubeconfig.clone()),
            ("authorization-kubeconfig", kubeconfig),
            ("leader-elect", "false".to_owned()),
            ("secure-port", "0".to_owned()),
        ];
        let arguments: Vec<_> =
            pairs.into_iter().map(|(option, value)| format!("--{option}={value}")).collect();
        let program = self.programs.part("kube-scheduler")?;
        let (directory, netns) = (self.directory.path(), self.place.netns.as_deref());
        Ok(Scheduler {
            _part: Part::start("kube-scheduler", &program, &arguments, directory, netns)?,
        })
    }

    /// The one program that is every part, by its first argument; kubelet and kube-proxy are in no
    /// collection of others.
    pub fn program(&self) -> Result<PathBuf> {
        let words = self.programs.part("kubelet")?;
        ensure!(words.words().len() == 2, "nodes need the program that `cargo xtask kube` builds");
        Ok(words.words().first().map(PathBuf::from).unwrap_or_default())
    }

    /// What everybody's certificates chain to.
    pub fn root_certificate(&self) -> &Path {
        &self.pki.root
    }

    /// Writes credentials of a user, by a certificate, who may be of a group.
    pub fn kubeconfig_of_user(&self, file: &Path, user: &str, group: Option<&str>) -> Result<()> {
        let pair = self.pki.issue(&user.replace(':', "-"), user, group)?;
        kubeconfig::write(file, self.address(), &self.pki.root, &Identity::certificate(&pair))
    }

    /// Waits until an object is there, by its kind and name: `node/node-1`.
    pub fn wait_for_object(&self, name: &str) -> Result<()> {
        wait::until_true(name, SOON * 6, || {
            self.kubectl(&["get", name, "--output=name"])?;
            Ok(true)
        })
    }
}
