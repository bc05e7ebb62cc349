//! AuthorizationPolicy as it is written (Istio `security/v1beta1/authorization_policy.proto`).
//!
//! It says nothing of meaning; `translate::policies` does.
//!
//! **Invariant:** a field that is not known is an error: left out, it could make a policy permit
//! more.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;

/// An AuthorizationPolicy.
#[derive(Clone, Debug, Deserialize)]
pub struct AuthorizationPolicy {
    /// Name, labels and annotations.
    pub metadata: ObjectMeta,
    /// What it says; nothing at all is an ALLOW that matches nothing.
    #[serde(default)]
    pub spec: Spec,
    /// What controllers say of it; it means nothing.
    #[serde(default)]
    pub status: Option<serde_json::Value>,
}

/// What an AuthorizationPolicy says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Spec {
    /// Pods it applies to, instead of targets.
    pub selector: Option<serde_json::Value>,
    /// What it is attached to; the older way, for one target.
    pub target_ref: Option<TargetRef>,
    /// What it is attached to.
    #[serde(default)]
    pub target_refs: Vec<TargetRef>,
    /// What a match means.
    #[serde(default)]
    pub action: Action,
    /// Who is asked in CUSTOM.
    pub provider: Option<Provider>,
    /// Alternatives.
    #[serde(default)]
    pub rules: Vec<Rule>,
}

/// What a policy is attached to.
#[derive(Clone, Debug, Deserialize)]
pub struct TargetRef {
    /// The API group; empty for core.
    #[serde(default)]
    pub group: String,
    /// The kind.
    pub kind: String,
    /// The name.
    pub name: String,
    /// The namespace, which must be the policy's.
    pub namespace: Option<String>,
}

/// What a match means.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "UPPERCASE")]
pub enum Action {
    /// Permit.
    #[default]
    Allow,
    /// Deny.
    Deny,
    /// Log only.
    Audit,
    /// Ask a provider.
    Custom,
}

/// Who is asked in CUSTOM.
#[derive(Clone, Debug, Deserialize)]
pub struct Provider {
    /// Its name in the mesh configuration.
    #[serde(default)]
    pub name: String,
}

/// One alternative.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Who asks.
    pub from: Option<Vec<From>>,
    /// What is asked for.
    pub to: Option<Vec<To>>,
    /// What else must hold.
    pub when: Option<Vec<When>>,
}

/// Wraps a source.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct From {
    /// The source.
    pub source: Source,
}

/// Wraps an operation.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct To {
    /// The operation.
    pub operation: Operation,
}

/// Who asks.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[expect(missing_docs, reason = "each field is the attribute of its name")]
pub struct Source {
    pub principals: Vec<String>,
    pub not_principals: Vec<String>,
    pub request_principals: Vec<String>,
    pub not_request_principals: Vec<String>,
    pub namespaces: Vec<String>,
    pub not_namespaces: Vec<String>,
    pub service_accounts: Vec<String>,
    pub not_service_accounts: Vec<String>,
    pub trust_domains: Vec<String>,
    pub not_trust_domains: Vec<String>,
    pub ip_blocks: Vec<String>,
    pub not_ip_blocks: Vec<String>,
    pub remote_ip_blocks: Vec<String>,
    pub not_remote_ip_blocks: Vec<String>,
}

/// What is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[expect(missing_docs, reason = "each field is the attribute of its name")]
pub struct Operation {
    pub hosts: Vec<String>,
    pub not_hosts: Vec<String>,
    pub ports: Vec<String>,
    pub not_ports: Vec<String>,
    pub methods: Vec<String>,
    pub not_methods: Vec<String>,
    pub paths: Vec<String>,
    pub not_paths: Vec<String>,
}

/// What else must hold.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct When {
    /// The attribute.
    pub key: String,
    /// Values of which one must match.
    #[serde(default)]
    pub values: Vec<String>,
    /// Values of which none may match.
    #[serde(default)]
    pub not_values: Vec<String>,
}
