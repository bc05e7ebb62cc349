//! Gateways and GatewayClasses to waypoints (Istio `pilot/pkg/config/kube/gateway/conversion.go`).
//!
//! Where waypoints run is `placements`'s.

use std::{collections::BTreeMap, sync::Arc};

use gateway_api::experimental::gateways::Gateway;

use crate::{
    mesh::{
        label::{FOR_SERVICE_ACCOUNT, Labels, WAYPOINT_CLASS, WAYPOINT_CONTROLLER, WAYPOINT_FOR},
        object::{ObjectName, ObjectRef},
        report::Report,
        snapshot::Settings,
        waypoint::{InboundBinding, Placement, TrafficType, Waypoint},
    },
    sync::{
        Served,
        finding::{accepted, error, notice, warning},
        objects::Objects,
    },
};

use super::{
    check::{LISTENERS_NOT_VALID, NO_LISTENER},
    listeners, meta, placements,
    scene::fail_mode,
};

/// The waypoints among the Gateways. One that is not valid is there, but never ready. Where
/// waypoints are processes of their own, every Gateway that has an address can be named as one.
pub(super) fn translate(
    objects: &Objects,
    settings: &Settings,
    served: Served,
    report: &mut Report,
) -> BTreeMap<ObjectName, Arc<Waypoint>> {
    let place = Place { objects, settings, served };
    let mut waypoints = BTreeMap::new();
    for (name, gateway) in &objects.gateways {
        let object = ObjectRef::new("Gateway", name.clone());
        let class = gateway.spec.gateway_class_name.as_str();
        if is_waypoint_class(objects, class) {
            waypoints.insert(name.clone(), Arc::new(place.own(&object, gateway, report)));
        } else if served == Served::ByStatus && placements::has_address(gateway) {
            let message = format!("class {class} is served by somebody else; it may be named");
            report.add(object.clone(), notice("Foreign", message));
            waypoints.insert(name.clone(), Arc::new(place.any(&object, gateway, report)));
        } else {
            let message = format!("class {class} is not {WAYPOINT_CONTROLLER}'s; it is ignored");
            report.add(object, notice("Ignored", message));
        }
    }
    waypoints
}

/// Whether Gateways of the class are waypoints; [`WAYPOINT_CLASS`] is one even if nobody made it.
pub(super) fn is_waypoint_class(objects: &Objects, class: &str) -> bool {
    match objects.gateway_classes.get(&ObjectName::cluster(class)) {
        Some(known) => known.spec.controller_name == WAYPOINT_CONTROLLER,
        None => class == WAYPOINT_CLASS,
    }
}

/// Whether pods that bear the Gateway's name are instances of a waypoint: that its class or its
/// listener says so. Any other Gateway can be named as a waypoint, but its pods stay what they are.
pub(super) fn has_instances(objects: &Objects, name: &ObjectName) -> bool {
    objects.gateways.get(name).is_some_and(|gateway| {
        is_waypoint_class(objects, &gateway.spec.gateway_class_name)
            || gateway.spec.listeners.iter().any(listeners::is_hbone)
    })
}

/// What Gateways are looked at with.
struct Place<'a> {
    objects: &'a Objects,
    settings: &'a Settings,
    served: Served,
}

impl Place<'_> {
    /// A waypoint of our class: it is ours to serve, and so to judge.
    fn own(&self, object: &ObjectRef, gateway: &Gateway, report: &mut Report) -> Waypoint {
        let mut waypoint = self.any(object, gateway, report);
        let listener = match gateway.spec.listeners.as_slice() {
            [only] if listeners::is_hbone(only) => Some(only),
            _ if waypoint.inbound_binding.is_some() => {
                listeners::chosen(gateway, waypoint.inbound_binding)
            }
            _ => None,
        };
        let allowed = listener.map(listeners::allowed);
        let finding = match &allowed {
            None => Some(error(LISTENERS_NOT_VALID, NO_LISTENER)),
            Some(Err(cause)) => Some(error(LISTENERS_NOT_VALID, cause.to_string())),
            // What is in force is the version before that which was refused.
            Some(Ok(_)) if is_refused(object, report) => None,
            Some(Ok(_)) => Some(accepted("Accepted", "Resource accepted")),
        };
        if let Some(finding) = finding {
            report.add(object.clone(), finding);
        }
        let has_addresses = gateway.spec.addresses.as_ref().is_some_and(|all| !all.is_empty());
        // In a cluster somebody serves it at these addresses.
        if has_addresses && self.served == Served::Here {
            let message = "spec.addresses is not supported; this process serves the waypoint";
            report.add(object.clone(), warning("UnsupportedAddress", message));
        }
        waypoint.ready &= matches!(allowed, Some(Ok(_)));
        waypoint.allowed = allowed.and_then(Result::ok).unwrap_or_default();
        waypoint
    }

    /// Any Gateway, as a waypoint: ready when it is placed somewhere, whoever made it.
    fn any(&self, object: &ObjectRef, gateway: &Gateway, report: &mut Report) -> Waypoint {
        let Self { objects, settings, served } = *self;
        let placement = placements::placement(objects, settings, served, object, report);
        let inbound_binding = placements::inbound_binding(objects, object, gateway, report);
        let listener = listeners::chosen(gateway, inbound_binding);
        let own = listener.filter(|one| !listeners::is_hbone(one));
        let port = own.and_then(|one| meta::port(one.port).ok());
        Waypoint {
            name: object.name.clone(),
            class: gateway.spec.gateway_class_name.clone(),
            takes: takes(objects, object, gateway, report),
            allowed: listener.and_then(|one| listeners::allowed(one).ok()).unwrap_or_default(),
            for_account: account(gateway).map(str::to_owned),
            ready: placement.is_some(),
            placement: placement.unwrap_or(Placement::Pods(Vec::new())),
            inbound_binding: inbound_binding.map(|binding| InboundBinding {
                port: binding.port.or(port.filter(|_| binding.proxy)),
                ..binding
            }),
            fail_mode: fail_mode(object, meta::annotations(&gateway.metadata), report),
        }
    }
}

/// Whether the newest version of the Gateway was refused when it was to be admitted.
fn is_refused(object: &ObjectRef, report: &Report) -> bool {
    report.of(object).any(|finding| finding.reason == LISTENERS_NOT_VALID)
}

/// The service account that the Gateway stands for without labels.
fn account(gateway: &Gateway) -> Option<&str> {
    let account = meta::annotations(&gateway.metadata).get(FOR_SERVICE_ACCOUNT)?;
    Some(account.as_str()).filter(|account| !account.is_empty())
}

/// What traffic the waypoint takes: by its own label, else its class's, else Services'; for a
/// service account everything, as there were no such labels when that was the way.
fn takes(
    objects: &Objects,
    object: &ObjectRef,
    gateway: &Gateway,
    report: &mut Report,
) -> TrafficType {
    let class = ObjectName::cluster(&gateway.spec.gateway_class_name);
    let class = objects.gateway_classes.get(&class);
    let word = |labels: &Labels| labels.get(WAYPOINT_FOR).cloned();
    let own = word(meta::labels(&gateway.metadata));
    let Some(word) = own.or_else(|| class.and_then(|class| word(meta::labels(&class.metadata))))
    else {
        return if account(gateway).is_some() { TrafficType::All } else { TrafficType::default() };
    };
    TrafficType::parse(&word).unwrap_or_else(|| {
        let message = format!(
            "{WAYPOINT_FOR}: {word} is none of service, workload, all, none; it takes nothing"
        );
        report.add(object.clone(), warning("UnknownTrafficType", message));
        TrafficType::None
    })
}
