//! ReferenceGrants: who may refer to objects of another namespace (GEP-709).
//!
//! It looks at nothing that they permit.

use crate::mesh::object::ObjectName;
use crate::sync::objects::Objects;

/// Whether a route of a namespace may name a Service as its backend: one of its own, or one whose
/// namespace grants it.
pub(super) fn permit(objects: &Objects, route: &ObjectName, service: &ObjectName) -> bool {
    if route.namespace == service.namespace {
        return true;
    }
    let of_namespace = objects.reference_grants.iter();
    let mut grants = of_namespace.filter(|(name, _)| name.namespace == service.namespace);
    grants.any(|(_, grant)| {
        let from = grant.spec.from.iter().any(|from| {
            from.group == GATEWAY_API && from.kind == ROUTE && from.namespace == route.namespace
        });
        let to = grant.spec.to.iter().any(|to| {
            let named = to.name.as_ref().filter(|name| !name.is_empty());
            is_core(&to.group)
                && to.kind == SERVICE
                && named.is_none_or(|name| *name == service.name)
        });
        from && to
    })
}

/// The API group of core kinds; the Gateway API writes nothing.
fn is_core(group: &str) -> bool {
    matches!(group, "" | "core")
}

const GATEWAY_API: &str = "gateway.networking.k8s.io";
const ROUTE: &str = "HTTPRoute";
const SERVICE: &str = "Service";
