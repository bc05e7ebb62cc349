//! What Gateways run in already: the objects that bear our label, whole.

use std::{collections::BTreeMap, sync::Arc};

use kube::Client;
use serde_json::Value;
use tokio::sync::Notify;

use crate::{
    control::{
        kind::{CLUSTER_ROLE_BINDING, Kind, Target},
        mirror::{Mirror, Scope, Shelf},
    },
    mesh::{
        label::{GATEWAY_NAME, MANAGED},
        object::ObjectName,
    },
};

use super::{
    names::{GATEWAY_NAMESPACE, MANAGED_BY},
    parameters::Part,
};

/// The objects, followed.
#[derive(Debug)]
pub(super) struct Live(Vec<(Kind, Mirror)>);

/// The objects as they are now.
#[derive(Debug, Default)]
pub(super) struct There(BTreeMap<Kind, Arc<Shelf>>);

impl Live {
    /// Follows them.
    pub(super) fn follow(client: &Client, bell: &Arc<Notify>) -> Self {
        let follow = |kind: Kind| {
            let labels = Some(format!("{MANAGED}={MANAGED_BY}"));
            let scope = Scope { labels, ..Scope::default() };
            (kind, Mirror::follow(client.clone(), kind, scope, Arc::clone(bell)))
        };
        let kinds = Part::ALL.map(Part::kind).into_iter().chain([CLUSTER_ROLE_BINDING]);
        Self(kinds.map(follow).collect())
    }

    /// The objects, once all are known.
    pub(super) fn there(&self) -> Option<There> {
        let all = self.0.iter().map(|(kind, mirror)| Some((*kind, mirror.shelf()?)));
        all.collect::<Option<_>>().map(There)
    }
}

impl There {
    /// An object.
    pub(super) fn get(&self, target: &Target) -> Option<&Value> {
        self.0.get(&target.kind)?.get(&target.name).map(Arc::as_ref)
    }

    /// The bindings, each with its uid and the Gateway that it was made for.
    pub(super) fn bindings(&self) -> impl Iterator<Item = (Target, &str, ObjectName)> {
        let shelf = self.0.get(&CLUSTER_ROLE_BINDING);
        shelf.into_iter().flat_map(|shelf| shelf.iter()).filter_map(|(name, object)| {
            let text = |pointer, key| object.pointer(pointer)?.get(key)?.as_str();
            let label = |key| text("/metadata/labels", key);
            let gateway = ObjectName::new(label(GATEWAY_NAMESPACE)?, label(GATEWAY_NAME)?);
            let target = Target::whole(CLUSTER_ROLE_BINDING, name.clone());
            Some((target, text("/metadata", "uid")?, gateway))
        })
    }

    /// The objects that belong to a Gateway, each with its uid.
    pub(super) fn of<'t>(
        &'t self,
        namespace: &'t str,
        owner: &'t str,
    ) -> impl Iterator<Item = (Target, &'t str)> {
        self.0.iter().flat_map(move |(kind, shelf)| {
            shelf.iter().filter_map(move |(name, object)| {
                let owners = object.pointer("/metadata/ownerReferences")?.as_array()?;
                let owned = name.namespace == namespace
                    && owners.iter().any(|one| one.get("uid").is_some_and(|uid| uid == owner));
                let uid = object.pointer("/metadata/uid")?.as_str()?;
                owned.then(|| (Target::whole(*kind, name.clone()), uid))
            })
        })
    }
}

#[cfg(test)]
impl There {
    /// These objects.
    pub(super) fn holding(objects: Vec<(Target, Value)>) -> Self {
        let mut there = Self::default();
        for (target, object) in objects {
            let shelf = there.0.entry(target.kind).or_default();
            Arc::make_mut(shelf).insert(target.name, Arc::new(object));
        }
        there
    }
}
