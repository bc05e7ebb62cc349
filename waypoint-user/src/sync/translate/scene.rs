//! What every kind's translation looks at: the objects, namespaces and waypoints.
//!
//! It is made first and not changed afterwards.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    mesh::{
        binding::{Binding, FailMode},
        label::{FAIL_MODE, Labels},
        object::{ObjectName, ObjectRef},
        report::Report,
        snapshot::Settings,
        waypoint::Waypoint,
    },
    select::{Accounts, FailModes, Mesh, parse_fail_mode},
    sync::{Served, finding::error, objects::Objects},
};

use super::{gateways, meta, remarks};

/// The objects, and what was learnt of namespaces and waypoints.
pub(super) struct Scene<'a> {
    pub(super) objects: &'a Objects,
    pub(super) settings: &'a Settings,
    pub(super) namespaces: BTreeMap<String, Labels>,
    pub(super) waypoints: BTreeMap<ObjectName, Arc<Waypoint>>,
    accounts: Accounts,
    modes: BTreeMap<String, FailMode>,
}

impl<'a> Scene<'a> {
    /// Looks at namespaces and Gateways.
    pub(super) fn new(
        objects: &'a Objects,
        settings: &'a Settings,
        served: Served,
        report: &mut Report,
    ) -> Self {
        let mut namespaces: BTreeMap<String, Labels> = BTreeMap::new();
        let mut modes = BTreeMap::new();
        for (name, namespace) in &objects.namespaces {
            let object = ObjectRef::new("Namespace", name.clone());
            remarks::labels(&object, &namespace.metadata, None, report);
            let mode = fail_mode(&object, meta::annotations(&namespace.metadata), report);
            modes.insert(name.name.clone(), mode);
            namespaces.insert(name.name.clone(), meta::labels(&namespace.metadata).clone());
        }
        // In a cluster every namespace exists and bears its name; manifests may leave it unsaid.
        let inside = objects.pods.keys().chain(objects.services.keys());
        let outside = objects.service_entries.keys().chain(objects.workload_entries.keys());
        for name in inside.chain(outside) {
            if !namespaces.contains_key(&name.namespace) {
                namespaces.insert(name.namespace.clone(), Labels::new());
            }
        }
        for (name, labels) in &mut namespaces {
            labels.insert(NAME_LABEL.to_owned(), name.clone());
        }
        let waypoints = gateways::translate(objects, settings, served, report);
        let accounts = Accounts::of(&waypoints);
        for waypoint in waypoints.values() {
            remarks::account(waypoint, &accounts, report);
        }
        Self { objects, settings, namespaces, waypoints, accounts, modes }
    }

    /// What bindings are resolved against.
    pub(super) fn mesh(&self) -> Mesh<'_> {
        let Self { waypoints, namespaces, accounts, .. } = self;
        Mesh { waypoints, namespaces, accounts }
    }

    /// Whether a waypoint stands for a service account.
    pub(super) fn has_accounts(&self) -> bool {
        !self.accounts.is_empty()
    }

    /// The labels of a namespace.
    pub(super) fn namespace_labels(&self, namespace: &str) -> &Labels {
        self.namespaces.get(namespace).unwrap_or(&NONE)
    }

    /// The annotations of a namespace.
    pub(super) fn namespace_annotations(&self, namespace: &str) -> &Labels {
        let known = self.objects.namespaces.get(&ObjectName::cluster(namespace));
        known.map_or(&NONE, |namespace| meta::annotations(&namespace.metadata))
    }

    /// The fail modes that bear on a destination of the namespace.
    pub(super) fn modes(&self, own: FailMode, namespace: &str, binding: &Binding) -> FailModes {
        let asked = match binding {
            Binding::Bound(waypoint) => Some(waypoint),
            Binding::Refused(refusal) => Some(&refusal.waypoint),
            Binding::Direct => None,
        };
        let gateway = asked.and_then(|name| self.waypoints.get(name));
        FailModes {
            service: own,
            namespace: self.modes.get(namespace).copied().unwrap_or_default(),
            gateway: gateway.map(|waypoint| waypoint.fail_mode).unwrap_or_default(),
        }
    }
}

/// The fail mode that annotations name.
pub(super) fn fail_mode(object: &ObjectRef, annotations: &Labels, report: &mut Report) -> FailMode {
    let Some(word) = annotations.get(FAIL_MODE) else { return FailMode::Unset };
    parse_fail_mode(word).unwrap_or_else(|| {
        let message = format!("annotation {FAIL_MODE}: {word:?} is neither open nor closed");
        report.add(object.clone(), error("InvalidFailMode", message));
        FailMode::Unset
    })
}

static NONE: Labels = Labels::new();

/// The label that Kubernetes gives every namespace: its name.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";
