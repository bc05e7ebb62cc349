//! From the labels of an object and its namespace to the waypoint it is bound to.
//!
//! It does not decide what happens to traffic whose waypoint is refused; that is the fail mode.

use std::{collections::BTreeMap, sync::Arc};

use crate::mesh::{
    binding::{Binding, Refusal, RefusalReason},
    label::{Labels, MANAGED, NO_WAYPOINT, USE_WAYPOINT, USE_WAYPOINT_NAMESPACE},
    object::ObjectName,
    waypoint::Waypoint,
};

use super::{accounts::Accounts, enrol::MANAGED_WAYPOINT};

/// A label that says which waypoint an object uses.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Asked {
    /// The waypoint; `None` for the word that means none.
    pub waypoint: Option<ObjectName>,
    /// Whether the label is the object's own, and not its namespace's.
    pub own: bool,
}

/// What bindings are resolved against.
#[derive(Clone, Copy, Debug)]
pub struct Mesh<'a> {
    /// The waypoints, by name.
    pub waypoints: &'a BTreeMap<ObjectName, Arc<Waypoint>>,
    /// The labels of namespaces; one that is not here has none.
    pub namespaces: &'a BTreeMap<String, Labels>,
    /// The waypoints that stand for service accounts.
    pub accounts: &'a Accounts,
}

impl Mesh<'_> {
    /// The waypoint of a Service, for connections addressed to it.
    pub fn for_service(&self, namespace: &str, labels: &Labels) -> Binding {
        if is_managed_service(labels) {
            return Binding::Direct;
        }
        match self.resolve(namespace, labels) {
            Resolved::Usable { waypoint, .. } if !waypoint.takes.takes_services() => {
                refuse(waypoint.name.clone(), RefusalReason::UnsupportedServiceTraffic)
            }
            resolved => resolved.into(),
        }
    }

    /// The waypoint of a workload, for connections addressed to it. A waypoint's own instances have
    /// none, and a namespace's waypoint that takes only Services is none of its pods' concern.
    pub fn for_workload(&self, namespace: &str, labels: &Labels, instance: bool) -> Binding {
        if instance {
            return Binding::Direct;
        }
        match self.resolve(namespace, labels) {
            Resolved::Usable { waypoint, own } if !waypoint.takes.takes_workloads() => {
                if own {
                    refuse(waypoint.name.clone(), RefusalReason::UnsupportedWorkloadTraffic)
                } else {
                    Binding::Direct
                }
            }
            resolved => resolved.into(),
        }
    }

    /// Whether a label says which waypoint an object has, or that it has none.
    pub(super) fn is_labelled(&self, namespace: &str, labels: &Labels) -> bool {
        labels.contains_key(USE_WAYPOINT) || self.labels_of(namespace).contains_key(USE_WAYPOINT)
    }

    /// The label that decides for an object: its own, or where it has none its namespace's.
    pub fn asked(&self, namespace: &str, labels: &Labels) -> Option<Asked> {
        let own = labels.contains_key(USE_WAYPOINT);
        let asking = if own { labels } else { self.labels_of(namespace) };
        asking.contains_key(USE_WAYPOINT).then(|| {
            let waypoint = asked_for(namespace, asking);
            Asked { waypoint, own }
        })
    }

    /// The labels of a namespace.
    pub(super) fn labels_of(&self, namespace: &str) -> &Labels {
        static NONE: Labels = Labels::new();
        self.namespaces.get(namespace).unwrap_or(&NONE)
    }

    /// Follows the object's label, or where it has none its namespace's.
    fn resolve(&self, namespace: &str, labels: &Labels) -> Resolved<'_> {
        let Some(Asked { waypoint: Some(name), own }) = self.asked(namespace, labels) else {
            return Resolved::NotAsked;
        };
        match self.usable(&name, namespace) {
            Ok(waypoint) => Resolved::Usable { waypoint, own },
            Err(reason) => Resolved::Refused(name, reason),
        }
    }

    /// The waypoint of this name, if it is there and admits objects of the namespace.
    pub(super) fn usable(
        &self,
        name: &ObjectName,
        namespace: &str,
    ) -> Result<&Waypoint, RefusalReason> {
        let Some(waypoint) = self.waypoints.get(name).filter(|waypoint| waypoint.ready) else {
            return Err(RefusalReason::WaypointIsNotReady);
        };
        if !waypoint.allowed.allow(&name.namespace, namespace, self.labels_of(namespace)) {
            return Err(RefusalReason::AttachmentDenied);
        }
        Ok(waypoint)
    }
}

/// Whether the Service was made for a waypoint or an east-west gateway, which have no waypoint.
pub fn is_managed_service(labels: &Labels) -> bool {
    labels.get(MANAGED).is_some_and(|by| by == MANAGED_WAYPOINT || by == MANAGED_EAST_WEST)
}

/// The waypoint that these labels ask for, on an object of the namespace or on the namespace.
fn asked_for(namespace: &str, labels: &Labels) -> Option<ObjectName> {
    let name = labels.get(USE_WAYPOINT).filter(|name| *name != NO_WAYPOINT)?;
    let home = labels.get(USE_WAYPOINT_NAMESPACE).map_or(namespace, String::as_str);
    Some(ObjectName::new(home, name))
}

/// A binding to a waypoint that cannot be used.
pub(super) fn refuse(waypoint: ObjectName, reason: RefusalReason) -> Binding {
    Binding::Refused(Refusal { waypoint, reason })
}

/// What the labels lead to, before the traffic type is looked at.
enum Resolved<'a> {
    /// No waypoint is asked for.
    NotAsked,
    /// The waypoint is there and admits the object; `own`: by the object's own label.
    Usable { waypoint: &'a Waypoint, own: bool },
    /// The waypoint cannot be used.
    Refused(ObjectName, RefusalReason),
}

impl From<Resolved<'_>> for Binding {
    fn from(resolved: Resolved<'_>) -> Self {
        match resolved {
            Resolved::NotAsked => Self::Direct,
            Resolved::Usable { waypoint, .. } => Self::Bound(waypoint.name.clone()),
            Resolved::Refused(waypoint, reason) => refuse(waypoint, reason),
        }
    }
}

/// The value of the managed label on what the controller of east-west gateways makes.
const MANAGED_EAST_WEST: &str = "istio.io-eastwest-controller";
