//! kube-controller-manager: what a cluster does by itself.

use anyhow::Result;

use super::{ControlPlane, Place, lock, part::Part};

/// A running controller-manager.
#[derive(Debug)]
pub(super) struct Controllers {
    _part: Part,
}

impl ControlPlane {
    /// Starts a controller-manager, unless there is one, and waits until it works.
    pub fn run_controllers(&self) -> Result<()> {
        let mut running = lock(&self.controllers);
        if running.is_none() {
            *running = Some(Controllers { _part: self.start_controllers()? });
        }
        Ok(())
    }

    fn start_controllers(&self) -> Result<Part> {
        let Place { netns, .. } = &self.place;
        // Where no kubelet is, no node is lost because none is heard of.
        let controllers = if netns.is_some() { "*" } else { "*,-node-lifecycle-controller" };
        let kubeconfig = self.kubeconfig.display().to_string();
        let pairs = [
            ("kubeconfig", kubeconfig.clone()),
            ("authentication-kubeconfig", kubeconfig.clone()),
            ("authorization-kubeconfig", kubeconfig),
            // It answers nobody, and so needs no port.
            ("secure-port", "0".to_owned()),
            ("leader-elect", "false".to_owned()),
            ("controllers", controllers.to_owned()),
            ("use-service-account-credentials", "false".to_owned()),
            ("root-ca-file", self.pki.root.display().to_string()),
            ("service-account-private-key-file", self.pki.accounts.display().to_string()),
            ("cert-dir", self.directory.path().display().to_string()),
        ];
        let arguments: Vec<_> =
            pairs.into_iter().map(|(option, value)| format!("--{option}={value}")).collect();
        let name = "kube-controller-manager";
        let program = self.programs.part(name)?;
        let mut part =
            Part::start(name, &program, &arguments, self.directory.path(), netns.as_deref())?;
        part.wait_until("controllers that make default accounts", || Ok(self.makes_accounts()))?;
        Ok(part)
    }

    /// Every namespace gets its root certificates from a controller.
    fn makes_accounts(&self) -> bool {
        let published = ["get", "configmap", "kube-root-ca.crt", "--namespace=default"];
        self.kubectl(&published).is_ok()
    }
}
