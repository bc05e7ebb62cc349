//! WorkloadEntry as it is written (Istio `networking/v1alpha3/workload_entry.proto`).
//!
//! It says nothing of meaning; `translate::workload_entries` does.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;

/// A WorkloadEntry.
#[derive(Clone, Debug, Deserialize)]
pub struct WorkloadEntry {
    /// Name, labels and annotations.
    pub metadata: ObjectMeta,
    /// What it says.
    #[serde(default)]
    pub spec: Spec,
    /// What controllers say of it; it means nothing.
    #[serde(default)]
    pub status: Option<serde_json::Value>,
}

/// What a WorkloadEntry says; also what a ServiceEntry says of one of its endpoints.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Spec {
    /// An IP address, or where the endpoint is looked up a host name.
    pub address: String,
    /// Where it takes the ports of a Service, by their names.
    pub ports: BTreeMap<String, i64>,
    /// Labels, beside those of the object.
    pub labels: BTreeMap<String, String>,
    /// The network that its address belongs to; empty for the cluster's own.
    pub network: String,
    /// `region/zone/subzone`, from the left as far as it is known.
    pub locality: String,
    /// How much of the requests it gets, next to its fellows; zero counts as one.
    pub weight: i64,
    /// Its service account.
    pub service_account: String,
}
