//! Nodes: their own addresses, and where they are.
//!
//! A pod may name a node that no manifest makes.

use std::{collections::BTreeMap, net::IpAddr};

use k8s_openapi::api::core::v1::Node as Declared;

use crate::{
    mesh::{
        label::{REGION, ZONE},
        node::Node,
        object::ObjectName,
    },
    sync::objects::Objects,
};

use super::{invalid::Invalid, meta};

/// The nodes.
pub(super) fn translate(objects: &Objects) -> BTreeMap<ObjectName, Node> {
    objects.nodes.iter().map(|(name, declared)| (name.clone(), node(name, declared))).collect()
}

/// The node's own addresses.
pub(super) fn addresses(node: &Declared) -> Result<Vec<IpAddr>, Invalid> {
    let listed = node.status.iter().flat_map(|status| status.addresses.iter().flatten());
    let internal = listed.filter(|one| one.type_ == INTERNAL);
    internal
        .map(|one| {
            let wrong = || {
                let message = format!("{:?} is not an address", one.address);
                Invalid::field("status.addresses", message)
            };
            one.address.parse().map_err(|_| wrong())
        })
        .collect()
}

fn node(name: &ObjectName, declared: &Declared) -> Node {
    let labels = meta::labels(&declared.metadata);
    let word = |key: &str| labels.get(key).cloned().unwrap_or_default();
    Node {
        name: name.clone(),
        addresses: addresses(declared).unwrap_or_default(),
        region: word(REGION),
        zone: word(ZONE),
    }
}

/// The type of addresses that nodes reach each other by.
const INTERNAL: &str = "InternalIP";
