//! The Gateway of a waypoint, as it is generated and applied.
//!
//! It is asked of nobody; the API server validates it.

use serde_json::{Map, Value, json};

use crate::{
    cli::Error,
    mesh::{
        label::{NO_WAYPOINT, REVISION, WAYPOINT_CLASS, WAYPOINT_FOR},
        waypoint::TrafficType,
    },
};

/// What a Gateway is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// Its namespace, where that is said.
    pub(super) namespace: Option<&'a str>,
    /// Its traffic type; empty where nothing is asked for.
    pub(super) traffic: &'a str,
    /// The revision of the controller that it is for; empty for the default one.
    pub(super) revision: &'a str,
}

/// The Gateway; its fields are in the order of the alphabet.
pub(super) fn gateway(wish: &Wish<'_>) -> Result<Value, Error> {
    if wish.name == NO_WAYPOINT {
        let message = "invalid name provided for waypoint, 'none' is a reserved value";
        return Err(Error::Gateway(message.to_owned()));
    }
    if !wish.traffic.is_empty() && TrafficType::parse(wish.traffic).is_none() {
        return Err(Error::Gateway(format!(
            "invalid traffic type: {}. Valid options are: [all none service workload]",
            wish.traffic
        )));
    }
    let labels = [(REVISION, wish.revision), (WAYPOINT_FOR, wish.traffic)];
    let labels = labels.into_iter().filter(|(_, value)| !value.is_empty());
    let labels: Map<_, _> = labels.map(|(key, value)| (key.to_owned(), value.into())).collect();
    let mut metadata = Map::new();
    if !labels.is_empty() {
        metadata.insert("labels".to_owned(), labels.into());
    }
    metadata.insert("name".to_owned(), wish.name.into());
    if let Some(namespace) = wish.namespace {
        metadata.insert("namespace".to_owned(), namespace.into());
    }
    Ok(json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": metadata,
        "spec": {
            "gatewayClassName": WAYPOINT_CLASS,
            "listeners": [{ "name": "mesh", "port": 15008, "protocol": "HBONE" }],
        },
    }))
}
