//! ServiceEntry as it is written (Istio `networking/v1alpha3/service_entry.proto`).
//!
//! It says nothing of meaning; `translate::service_entries` does.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;

use super::workload_entry;

/// A ServiceEntry.
#[derive(Clone, Debug, Deserialize)]
pub struct ServiceEntry {
    /// Name, labels and annotations.
    pub metadata: ObjectMeta,
    /// What it says.
    #[serde(default)]
    pub spec: Spec,
    /// What others found out about it.
    pub status: Option<Status>,
}

/// What a ServiceEntry says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Spec {
    /// Host names, each of which is a Service.
    pub hosts: Vec<String>,
    /// Addresses and ranges by which clients dial it.
    pub addresses: Vec<String>,
    /// Its ports.
    pub ports: Vec<Port>,
    /// How its endpoints are found.
    pub resolution: Resolution,
    /// Its endpoints, one by one.
    pub endpoints: Vec<workload_entry::Spec>,
    /// Its endpoints, by their labels.
    pub workload_selector: Option<Selector>,
    /// The namespaces that may use it; none is all.
    pub export_to: Vec<String>,
}

/// A port.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Port {
    /// The port that clients dial.
    pub number: i64,
    /// What is spoken on it.
    pub protocol: String,
    /// Its name.
    pub name: String,
    /// The port of the endpoints; zero for the same.
    pub target_port: i64,
}

/// How endpoints are found.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Resolution {
    /// Nobody looks: connections go where they were addressed.
    #[default]
    None,
    /// They are listed.
    Static,
    /// By name.
    Dns,
    /// By name; of what is found, any.
    DnsRoundRobin,
    /// By the name that each request asks for.
    DynamicDns,
}

/// Labels of workloads.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Selector {
    /// All of which they must have.
    pub labels: BTreeMap<String, String>,
}

/// What others found out.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Status {
    /// Addresses that were chosen for it.
    pub addresses: Vec<Allocated>,
    /// What controllers say of it; it means nothing.
    pub conditions: serde_json::Value,
}

/// An address that was chosen for a host.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Allocated {
    /// The address.
    pub value: String,
    /// The host; none for all of them.
    pub host: String,
}
