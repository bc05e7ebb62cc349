//! ReferenceGrants: who may refer to objects of another namespace (GEP-709).
//!
//! It looks at nothing that they permit.

use crate::mesh::object::ObjectRef;
use crate::sync::objects::Objects;

use super::route_parents::ISTIO_NETWORKING;

/// Whether a route of a namespace may name a Service as its backend: one of its own, or one whose
/// namespace grants it.
pub(super) fn permit(objects: &Objects, route: &ObjectRef, backend: &ObjectRef) -> bool {
    let (kind, route) = (&route.kind, &route.name);
    let service = &backend.name;
    if route.namespace == service.namespace {
        return true;
    }
    let of_namespace = objects.reference_grants.iter();
    let mut grants = of_namespace.filter(|(name, _)| name.namespace == service.namespace);
    grants.any(|(_, grant)| {
        let from = grant.spec.from.iter().any(|from| {
            from.group == GATEWAY_API && from.kind == *kind && from.namespace == route.namespace
        });
        let to = grant.spec.to.iter().any(|to| {
            let named = to.name.as_ref().filter(|name| !name.is_empty());
            group_of(&to.group) == group(&backend.kind)
                && to.kind == backend.kind
                && named.is_none_or(|name| *name == service.name)
        });
        from && to
    })
}

/// The API group as it is written; of core kinds the Gateway API writes nothing.
fn group_of(written: &str) -> &str {
    if written == "core" { "" } else { written }
}

/// The API group of a backend's kind.
fn group(kind: &str) -> &'static str {
    if kind == SERVICE { "" } else { ISTIO_NETWORKING }
}

const GATEWAY_API: &str = "gateway.networking.k8s.io";
const SERVICE: &str = "Service";
