//! The ConfigMaps by which people customise waypoints: those of their class, and those that
//! Gateways refer to. No other ConfigMap is read.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use gateway_api::experimental::gateways::Gateway;
use kube::Client;
use serde_json::Value;
use tokio::sync::Notify;

use crate::{
    control::{
        kind::CONFIG_MAP,
        mirror::{Mirror, Scope, Shelf},
    },
    mesh::object::ObjectName,
    sync::objects::Objects,
};

use super::{ours, parameters::Overlays};

/// The ConfigMaps, followed.
pub(super) struct ConfigMaps {
    client: Client,
    bell: Arc<Notify>,
    defaults: Mirror,
    referenced: BTreeMap<ObjectName, Mirror>,
}

/// The ConfigMaps as they are now.
#[derive(Debug, Default)]
pub(super) struct Maps {
    defaults: Arc<Shelf>,
    referenced: BTreeMap<ObjectName, Option<Arc<Value>>>,
}

impl ConfigMaps {
    /// Follows those of classes.
    pub(super) fn follow(client: &Client, root_namespace: &str, bell: &Arc<Notify>) -> Self {
        let scope = Scope {
            namespace: Some(root_namespace.to_owned()),
            labels: Some(DEFAULTS_FOR_CLASS.to_owned()),
            ..Scope::default()
        };
        let defaults = Mirror::follow(client.clone(), CONFIG_MAP, scope, Arc::clone(bell));
        Self {
            client: client.clone(),
            bell: Arc::clone(bell),
            defaults,
            referenced: BTreeMap::new(),
        }
    }

    /// Follows those that waypoints refer to, and no others.
    pub(super) fn need(&mut self, objects: &Objects) {
        let waypoints = objects.gateways.values().filter(|one| ours::is_waypoint(objects, one));
        let names: BTreeSet<_> = waypoints.filter_map(|one| reference(one)?.ok()).collect();
        self.referenced.retain(|name, _| names.contains(name));
        for name in names.into_iter().take(REFERENCED_MAX) {
            let (client, bell) = (&self.client, &self.bell);
            self.referenced.entry(name).or_insert_with_key(|name| {
                let scope = Scope {
                    namespace: Some(name.namespace.clone()),
                    fields: Some(format!("metadata.name={}", name.name)),
                    ..Scope::default()
                };
                Mirror::follow(client.clone(), CONFIG_MAP, scope, Arc::clone(bell))
            });
        }
    }

    /// The ConfigMaps, once those of classes are known.
    pub(super) fn known(&self) -> Option<Maps> {
        let referenced = self
            .referenced
            .iter()
            .filter_map(|(name, mirror)| Some((name.clone(), mirror.shelf()?.get(name).cloned())));
        Some(Maps { defaults: self.defaults.shelf()?, referenced: referenced.collect() })
    }
}

impl Maps {
    /// What a Gateway is customised with, its class's before its own; an error says what is wrong
    /// with it, and nothing that it is not known yet.
    pub(super) fn overlays(&self, gateway: &Gateway) -> Option<Result<Vec<Overlays>, String>> {
        let class = gateway.spec.gateway_class_name.as_str();
        let of_class = self.defaults.iter().find(|(_, map)| {
            let label = map.pointer("/metadata/labels").and_then(|all| all.get(DEFAULTS_FOR_CLASS));
            label.is_some_and(|value| value == class)
        });
        let mut maps: Vec<_> =
            of_class.into_iter().map(|(name, map)| (name.clone(), Arc::clone(map))).collect();
        match reference(gateway) {
            None => {}
            Some(Err(cause)) => return Some(Err(cause)),
            Some(Ok(name)) => match self.referenced.get(&name)? {
                Some(map) => maps.push((name, Arc::clone(map))),
                None => {
                    return Some(Err(format!("parametersRef ConfigMap {name} does not exist")));
                }
            },
        }
        Some(maps.into_iter().map(|(name, map)| read(&name, &map)).collect())
    }
}

/// The patches in a ConfigMap.
fn read(name: &ObjectName, map: &Value) -> Result<Overlays, String> {
    let values: BTreeMap<String, String> = match map.get("data") {
        Some(values) => serde_json::from_value(values.clone()).unwrap_or_default(),
        None => BTreeMap::new(),
    };
    Overlays::read(format!("ConfigMap {name}"), &values)
}

/// The ConfigMap that the Gateway refers to, or what else it refers to.
fn reference(gateway: &Gateway) -> Option<Result<ObjectName, String>> {
    let asked = gateway.spec.infrastructure.as_ref()?.parameters_ref.as_ref()?;
    if !(asked.group.is_empty() && asked.kind == "ConfigMap") {
        return Some(Err(format!(
            "Unsupported parametersRef group/kind {}/{}, only ConfigMap is supported",
            asked.group, asked.kind
        )));
    }
    let namespace = gateway.metadata.namespace.as_deref().unwrap_or_default();
    Some(Ok(ObjectName::new(namespace, &asked.name)))
}

/// Label on ConfigMap: the class of Gateways that it customises.
const DEFAULTS_FOR_CLASS: &str = "gateway.istio.io/defaults-for-class";
/// How many ConfigMaps that Gateways refer to are followed.
const REFERENCED_MAX: usize = 1000;
