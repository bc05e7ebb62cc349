//! Which parents of routes are Gateways, and which kinds of routes their listeners take.
//!
//! It attaches nothing; translation and the status of Gateways both go by it.

use gateway_api::experimental::gateways::{
    GatewayListeners, GatewayListenersAllowedRoutesKinds as Kind,
};

/// Whether a parent of a route is a Gateway, which it is where nothing else is said.
pub(crate) fn is_gateway(group: Option<&str>, kind: Option<&str>) -> bool {
    kind.unwrap_or("Gateway") == "Gateway" && is_ours(group)
}

/// Whether a listener takes routes of a kind; where it does not say, it takes ours.
pub(crate) fn takes(listener: &GatewayListeners, kind: &str) -> bool {
    let kinds = listener.allowed_routes.as_ref().and_then(|allowed| allowed.kinds.as_deref());
    kinds.is_none_or(|kinds| {
        let is_it = |named: &Kind| named.kind == kind && is_ours(named.group.as_deref());
        kinds.is_empty() || kinds.iter().any(is_it)
    })
}

/// Whether a group is that of Gateways and routes, which it is where nothing else is said.
pub(crate) fn is_ours(group: Option<&str>) -> bool {
    group.unwrap_or(GATEWAY_API) == GATEWAY_API
}

/// The API group of Gateways and routes.
pub(crate) const GATEWAY_API: &str = "gateway.networking.k8s.io";
