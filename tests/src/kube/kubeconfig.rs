//! Files that tell a client where a control plane is, and as whom to speak to it.

use std::{fs, net::SocketAddr, path::Path};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::pki::Pair;

/// As whom a client speaks.
#[derive(Clone, Debug)]
pub(super) struct Identity(Value);

impl Identity {
    /// Whom a certificate names.
    pub(super) fn certificate(pair: &Pair) -> Self {
        Self(json!({"client-certificate": pair.certificate, "client-key": pair.key}))
    }

    /// Whom a token names.
    pub(super) fn token(token: &str) -> Self {
        Self(json!({"token": token}))
    }
}

/// Writes such a file.
pub(super) fn write(file: &Path, at: SocketAddr, root: &Path, known: &Identity) -> Result<()> {
    let text = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": NAME,
        "clusters": [{
            "name": NAME,
            "cluster": {"server": format!("https://{at}"), "certificate-authority": root},
        }],
        "users": [{"name": NAME, "user": known.0}],
        "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": NAME}}],
    });
    fs::write(file, text.to_string()).with_context(|| file.display().to_string())
}

const NAME: &str = "waypoint-tests";
