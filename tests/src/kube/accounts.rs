//! Being a service account: a token that the API server signs, as pods get theirs.

use std::path::PathBuf;

use anyhow::Result;

use super::{
    ControlPlane,
    kubeconfig::{self, Identity},
};

impl ControlPlane {
    /// Credentials of a ServiceAccount, which has to exist: they may do what its roles allow.
    pub fn kubeconfig_of(&self, namespace: &str, account: &str) -> Result<PathBuf> {
        let file = self.directory.path().join(format!("{namespace}-{account}.kubeconfig"));
        let token = Identity::token(&self.token(namespace, account, None)?);
        kubeconfig::write(&file, self.relay.address(), &self.pki.root, &token)?;
        Ok(file)
    }

    /// A token of a ServiceAccount: for the API server, or for another audience.
    pub fn token(&self, namespace: &str, account: &str, audience: Option<&str>) -> Result<String> {
        let audience = audience.map(|audience| format!("--audience={audience}"));
        let mut arguments = vec!["create", "token", account, "--namespace", namespace];
        arguments.extend(audience.as_deref());
        Ok(self.kubectl(&arguments)?.trim().to_owned())
    }
}
