//! The listener of a Gateway that its waypoint goes by, and who may use it
//! (Istio `pilot/pkg/serviceregistry/ambient/waypoints.go`).
//!
//! Other listeners are not looked at.

use gateway_api::experimental::gateways::{
    Gateway, GatewayListeners, GatewayListenersAllowedRoutesNamespaces,
    GatewayListenersAllowedRoutesNamespacesFrom as From,
};

use crate::mesh::waypoint::{AllowedNamespaces, InboundBinding};

use super::{invalid::Invalid, meta};

/// The listener that counts: the one that the inbound binding names, else the first one for HBONE.
pub(super) fn chosen(
    gateway: &Gateway,
    binding: Option<InboundBinding>,
) -> Option<&GatewayListeners> {
    let listeners = &gateway.spec.listeners;
    let bound = binding.and_then(|binding| {
        listeners.iter().find(|one| match binding.port {
            Some(port) => one.port == i32::from(port),
            None => binding.proxy && one.protocol == PROXY,
        })
    });
    bound.or_else(|| listeners.iter().find(|one| is_hbone(one)))
}

/// Whether the listener takes HBONE where everybody expects it.
pub(super) fn is_hbone(listener: &GatewayListeners) -> bool {
    listener.protocol == HBONE && listener.port == HBONE_PORT
}

/// Whether a waypoint takes connections there.
pub(super) fn is_tunnel(listener: &GatewayListeners) -> bool {
    is_hbone(listener) || listener.protocol == PROXY
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

const HBONE: &str = "HBONE";
const HBONE_PORT: i32 = 15008;
/// The protocol of listeners that are told of the client by a PROXY header.
const PROXY: &str = "istio.io/PROXY";
