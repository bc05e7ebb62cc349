//! What was translated last, so that what did not change is taken from there.
//!
//! What a pod means depends on itself, on its namespace and on the waypoints that there are. Where
//! all of these are the very objects of the last translation, it is what it was. Services are
//! translated every time.
//!
//! **Invariant:** what is taken over is what translating it again would give.

use std::{
    collections::{BTreeMap, btree_map},
    iter::Peekable,
    sync::Arc,
};

use k8s_openapi::api::core::v1::Pod;

use crate::{
    mesh::{
        object::ObjectName,
        report::Report,
        snapshot::Snapshot,
        workload::{Workload, WorkloadKind},
    },
    sync::objects::Objects,
};

use super::scene::Scene;

/// A translation, and what it was made of.
#[derive(Clone, Debug)]
pub(in crate::sync) struct Before {
    pub(in crate::sync) objects: Arc<Objects>,
    pub(in crate::sync) snapshot: Arc<Snapshot>,
    /// What was said of pods by themselves.
    pub(in crate::sync) pods: Said,
}

/// What was said of objects, by name.
pub(in crate::sync) type Said = BTreeMap<ObjectName, Report>;

/// What becomes of a pod that was translated before.
pub(super) enum Again<'b> {
    /// It, or what it depends on, is another.
    Changed,
    /// It means what it did, or nothing as before, and this is said of it.
    Same(Option<Arc<Workload>>, Option<&'b Report>),
}

/// Pods as they were, asked for in their order.
pub(super) struct Pods<'b> {
    scene: &'b Scene<'b>,
    before: &'b Before,
    known: InOrder<'b, Arc<Pod>>,
    workloads: InOrder<'b, Arc<Workload>>,
    said: InOrder<'b, Report>,
    /// The namespace of the last pod, and whether that is as it was.
    home: (String, bool),
}

impl<'b> Pods<'b> {
    /// The pods of before; none if what all of them depend on has changed.
    pub(super) fn new(scene: &'b Scene<'b>, before: &'b Before) -> Option<Self> {
        is_same_around(scene, before).then(|| Self {
            scene,
            before,
            known: InOrder::new(&before.objects.pods),
            workloads: InOrder::new(before.snapshot.workloads()),
            said: InOrder::new(&before.pods),
            home: (String::new(), is_same_home(scene, before, "")),
        })
    }

    /// What became of a pod. Pods are asked for in the order of their names.
    pub(super) fn again(&mut self, name: &ObjectName, pod: &Arc<Pod>) -> Again<'b> {
        let is_same = self.known.at(name).is_some_and(|known| Arc::ptr_eq(known, pod));
        if !is_same || !self.is_at_home(&name.namespace) {
            return Again::Changed;
        }
        let workload = self.workloads.at(name).filter(|one| one.kind == WorkloadKind::Pod);
        Again::Same(workload.cloned(), self.said.at(name))
    }

    /// Whether a namespace is as it was.
    fn is_at_home(&mut self, namespace: &str) -> bool {
        if self.home.0 != namespace {
            let is_same = is_same_home(self.scene, self.before, namespace);
            self.home = (namespace.to_owned(), is_same);
        }
        self.home.1
    }
}

/// Whether waypoints, and what holds for all of the mesh, are as they were.
fn is_same_around(scene: &Scene<'_>, before: &Before) -> bool {
    let (now, then) = (scene.objects, &before.objects);
    *scene.settings == *before.snapshot.settings()
        && scene.waypoints == *before.snapshot.waypoints()
        && are_same(&now.gateways, &then.gateways)
        && are_same(&now.gateway_classes, &then.gateway_classes)
}

/// Whether two tables hold the very same objects.
fn are_same<T>(now: &BTreeMap<ObjectName, Arc<T>>, then: &BTreeMap<ObjectName, Arc<T>>) -> bool {
    now.len() == then.len()
        && now.values().zip(then.values()).all(|(now, then)| Arc::ptr_eq(now, then))
}

/// Whether a namespace has the labels and annotations that it had.
fn is_same_home(scene: &Scene<'_>, before: &Before, namespace: &str) -> bool {
    let name = ObjectName::cluster(namespace);
    let (now, then) = (scene.objects.namespaces.get(&name), before.objects.namespaces.get(&name));
    match (now, then) {
        (Some(now), Some(then)) => Arc::ptr_eq(now, then),
        (now, then) => now.is_none() && then.is_none(),
    }
}

/// A table that is looked into in the order of its names.
pub(super) struct InOrder<'t, T>(Peekable<btree_map::Iter<'t, ObjectName, T>>);

impl<'t, T> InOrder<'t, T> {
    pub(super) fn new(table: &'t BTreeMap<ObjectName, T>) -> Self {
        Self(table.iter().peekable())
    }

    /// What has this name, which must be behind the last that was asked for.
    pub(super) fn at(&mut self, name: &ObjectName) -> Option<&'t T> {
        while self.0.next_if(|(known, _)| *known < name).is_some() {}
        self.0.next_if(|(known, _)| *known == name).map(|(_, found)| found)
    }
}

#[cfg(test)]
mod tests;
