//! Gateways and GatewayClasses to waypoints (Istio `pilot/pkg/config/kube/gateway/conversion.go`).
//!
//! In `standalone` a valid Gateway is served by this process and counts as ready.

use std::{collections::BTreeMap, sync::Arc};

use gateway_api::experimental::gateways::{
    Gateway, GatewayListeners, GatewayListenersAllowedRoutesNamespaces,
    GatewayListenersAllowedRoutesNamespacesFrom as From,
};

use crate::{
    mesh::{
        label::{Labels, WAYPOINT_CLASS, WAYPOINT_CONTROLLER, WAYPOINT_FOR},
        object::{ObjectName, ObjectRef},
        report::Report,
        waypoint::{AllowedNamespaces, Placement, TrafficType, Waypoint},
    },
    sync::{
        finding::{accepted, error, notice, warning},
        objects::Objects,
    },
};

use super::{invalid::Invalid, meta, scene::fail_mode};

/// The waypoints among the Gateways. One that is not valid is there, but never ready.
pub(super) fn translate(
    objects: &Objects,
    report: &mut Report,
) -> BTreeMap<ObjectName, Arc<Waypoint>> {
    let mut waypoints = BTreeMap::new();
    for (name, gateway) in &objects.gateways {
        let object = ObjectRef::new("Gateway", name.clone());
        let class = gateway.spec.gateway_class_name.as_str();
        if is_waypoint_class(objects, class) {
            let waypoint = waypoint(objects, &object, gateway, report);
            waypoints.insert(name.clone(), Arc::new(waypoint));
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

/// From which namespaces a listener may be used.
pub(super) fn allowed(listener: &GatewayListeners) -> Result<AllowedNamespaces, Invalid> {
    let routes = listener.allowed_routes.as_ref();
    let Some(namespaces) = routes.and_then(|routes| routes.namespaces.as_ref()) else {
        return Ok(AllowedNamespaces::Same);
    };
    match namespaces.from {
        None | Some(From::Same) => Ok(AllowedNamespaces::Same),
        Some(From::All) => Ok(AllowedNamespaces::All),
        Some(From::Selector) => by_selector(namespaces),
    }
}

/// Namespaces by label; without a selector none, rather than all.
fn by_selector(
    namespaces: &GatewayListenersAllowedRoutesNamespaces,
) -> Result<AllowedNamespaces, Invalid> {
    let Some(selector) = &namespaces.selector else {
        return Err(Invalid::new("allowedRoutes.namespaces: from is Selector, without a selector"));
    };
    let expressions = selector.match_expressions.iter().flatten().map(|one| {
        (one.key.as_str(), one.operator.as_str(), one.values.as_deref().unwrap_or_default())
    });
    meta::selector(selector.match_labels.as_ref(), expressions).map(AllowedNamespaces::Selector)
}

fn waypoint(
    objects: &Objects,
    object: &ObjectRef,
    gateway: &Gateway,
    report: &mut Report,
) -> Waypoint {
    let class = gateway.spec.gateway_class_name.as_str();
    let listener = match gateway.spec.listeners.as_slice() {
        [only] if only.protocol == "HBONE" && only.port == 15008 => Some(only),
        _ => None,
    };
    let allowed = listener.map(allowed);
    match &allowed {
        None => report.add(
            object.clone(),
            error(
                "ListenersNotValid",
                "Expected a single listener on port 15008 with protocol \"HBONE\"",
            ),
        ),
        Some(Err(cause)) => {
            report.add(object.clone(), error("ListenersNotValid", cause.to_string()));
        }
        Some(Ok(_)) => report.add(object.clone(), accepted("Accepted", "Resource accepted")),
    }
    if gateway.spec.addresses.as_ref().is_some_and(|addresses| !addresses.is_empty()) {
        let message = "spec.addresses is not supported; this process serves the waypoint";
        report.add(object.clone(), warning("UnsupportedAddress", message));
    }
    let ready = matches!(allowed, Some(Ok(_)));
    Waypoint {
        name: object.name.clone(),
        class: class.to_owned(),
        takes: takes(objects, object, gateway, report),
        allowed: allowed.and_then(Result::ok).unwrap_or_default(),
        ready,
        placement: Placement::Here,
        fail_mode: fail_mode(object, meta::annotations(&gateway.metadata), report),
    }
}

/// What traffic the waypoint takes: by its own label, else its class's, else Services'.
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
        return TrafficType::default();
    };
    TrafficType::parse(&word).unwrap_or_else(|| {
        let message = format!(
            "{WAYPOINT_FOR}: {word} is none of service, workload, all, none; it takes nothing"
        );
        report.add(object.clone(), warning("UnknownTrafficType", message));
        TrafficType::None
    })
}
