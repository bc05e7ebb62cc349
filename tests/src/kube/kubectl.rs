//! What a person types: kubectl, as the administrator or as somebody else.

use std::{
    ffi::OsString,
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::Result;

use super::ControlPlane;
use crate::lab::command;

impl ControlPlane {
    /// Runs kubectl and returns what it printed; an error quotes what it complained of.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        self.kubectl_with(&self.kubeconfig, arguments, "")
    }

    /// The same with somebody else's credentials.
    pub fn kubectl_as(&self, kubeconfig: &Path, arguments: &[&str]) -> Result<String> {
        self.kubectl_with(kubeconfig, arguments, "")
    }

    /// Applies objects in YAML, on the server's side; what others wrote is taken over.
    pub fn apply(&self, yaml: &str) -> Result<()> {
        self.kubectl_with(&self.kubeconfig, APPLY, yaml)?;
        Ok(())
    }

    /// Applies the status of objects in YAML, as a kubelet or a controller would.
    pub fn apply_status(&self, yaml: &str) -> Result<()> {
        let arguments = [APPLY, &["--subresource=status"]].concat();
        self.kubectl_with(&self.kubeconfig, &arguments, yaml)?;
        Ok(())
    }

    /// Makes a namespace that nobody else has, whose name begins with a word; it has the account
    /// `default`, so that pods can be created in it.
    pub fn namespace(&self, word: &str) -> Result<String> {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let name = format!("{word}-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        self.apply(&format!(
            "apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n---\n\
             apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: default, namespace: {name}}}\n"
        ))?;
        Ok(name)
    }

    /// Runs kubectl with anybody's credentials, and with something to read.
    pub fn kubectl_with(
        &self,
        kubeconfig: &Path,
        arguments: &[&str],
        input: &str,
    ) -> Result<String> {
        // It may wait for what never comes, for example the end of a pod that no kubelet ends.
        let mut words: Vec<OsString> = vec!["timeout".into(), PATIENCE_SECONDS.into()];
        if let Some(netns) = &self.place.netns {
            words.extend(["nsenter".into(), format!("--net={}", netns.display()).into()]);
        }
        words.extend_from_slice(self.programs.part("kubectl")?.words());
        words.extend(["--kubeconfig".into(), kubeconfig.into(), "--cache-dir".into()]);
        words.push(self.directory.path().join("discovery").into());
        words.extend(arguments.iter().map(OsString::from));
        let program = words.remove(0);
        command::run_with_input(&program.to_string_lossy(), &words, input)
    }
}

const APPLY: &[&str] =
    &["apply", "--server-side", "--force-conflicts", "--field-manager=tests", "--filename=-"];
const PATIENCE_SECONDS: &str = "90";
