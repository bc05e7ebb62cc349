//! PeerAuthentication as it is written (Istio `security/v1beta1/peer_authentication.proto`).
//!
//! It says nothing of meaning; `translate::peer_authentications` does.
//!
//! **Invariant:** a field that is not known is an error.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;

/// A PeerAuthentication.
#[derive(Clone, Debug, Deserialize)]
pub struct PeerAuthentication {
    /// Name, labels and annotations.
    pub metadata: ObjectMeta,
    /// What it says; nothing at all leaves everything to the next level.
    #[serde(default)]
    pub spec: Spec,
}

/// What a PeerAuthentication says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Spec {
    /// Pods it applies to; all of the namespace if there is none.
    pub selector: Option<serde_json::Value>,
    /// What holds for ports of which nothing else is said.
    pub mtls: Option<MutualTls>,
    /// What holds for single ports of the selected pods.
    pub port_level_mtls: BTreeMap<String, MutualTls>,
}

/// What is asked of connections.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MutualTls {
    /// How they are taken.
    pub mode: Mode,
}

/// How connections are taken.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "UPPERCASE")]
pub enum Mode {
    /// As the next level says.
    #[default]
    Unset,
    /// In the ambient mode the same as permissive.
    Disable,
    /// With mutual TLS or without.
    Permissive,
    /// With mutual TLS only.
    Strict,
}
