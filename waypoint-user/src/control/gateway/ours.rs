//! Which Gateways are ours to serve: by class and by revision (Istio
//! `pilot/pkg/config/kube/gatewaycommon/deploymentcontroller.go`).

use gateway_api::experimental::gateways::Gateway;

use crate::{
    control::run::DEFAULT_REVISION,
    mesh::{
        label::{PLACEMENT, WAYPOINT_CLASS, WAYPOINT_CONTROLLER},
        object::ObjectName,
    },
    sync::objects::Objects,
};

/// Whether the Gateway is a waypoint; the class is one even while nobody has made it.
pub(super) fn is_waypoint(objects: &Objects, gateway: &Gateway) -> bool {
    let class = gateway.spec.gateway_class_name.as_str();
    match objects.gateway_classes.get(&ObjectName::cluster(class)) {
        Some(known) => known.spec.controller_name == WAYPOINT_CONTROLLER,
        None => class == WAYPOINT_CLASS,
    }
}

/// The Gateway's revision: its own, else its namespace's.
pub(super) fn revision<'o>(objects: &'o Objects, gateway: &'o Gateway) -> &'o str {
    let own = gateway.metadata.labels.as_ref().and_then(|labels| labels.get(REVISION));
    let namespace = gateway.metadata.namespace.as_deref().unwrap_or_default();
    let namespace = objects.namespaces.get(&ObjectName::cluster(namespace));
    let labels = namespace.and_then(|namespace| namespace.metadata.labels.as_ref());
    let found = own.or_else(|| labels.and_then(|labels| labels.get(REVISION)));
    found.map_or(DEFAULT_REVISION, String::as_str)
}

/// Where a Gateway's waypoint runs, as far as that is for the controller to see to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Runs {
    /// In pods that we make.
    InPods,
    /// In the agents of its clients' nodes.
    InAgents,
    /// Where its `spec.addresses` say: somebody else sees to it.
    Elsewhere,
}

/// Where it runs.
pub(super) fn runs(gateway: &Gateway) -> Runs {
    let annotations = gateway.metadata.annotations.as_ref();
    let placement = annotations.and_then(|all| all.get(PLACEMENT)).map(String::as_str);
    let addresses = gateway.spec.addresses.as_deref().unwrap_or_default();
    match placement {
        Some("node") => Runs::InAgents,
        _ if addresses.is_empty() => Runs::InPods,
        _ => Runs::Elsewhere,
    }
}

/// Label on Gateway and Namespace: which controller serves it.
const REVISION: &str = "istio.io/rev";
