//! How many routes are attached to the listeners of a Gateway, and of which kinds they may be.
//!
//! Whether a route is attached was decided by translation; here it is only counted.

use gateway_api::experimental::gateways::{
    Gateway, GatewayListeners, GatewayStatusListenersSupportedKinds as SupportedKind,
};

use crate::{
    mesh::{
        condition::{ACCEPTED, Parent, Truth},
        object::{ObjectName, ObjectRef},
        report::Report,
        route::RouteKind,
    },
    sync::gateway_routes::{GATEWAY_API, is_gateway, is_ours, takes},
};

/// The routes that are attached to Gateways, each with the reference by which it is.
#[derive(Debug, Default)]
pub(in crate::control::gateway) struct Attached<'r>(Vec<(&'r ObjectRef, &'r Parent)>);

impl<'r> Attached<'r> {
    /// Those of a Report.
    pub(in crate::control::gateway) fn of(report: &'r Report) -> Self {
        let is_its = |about: &Parent| is_gateway(about.group.as_deref(), about.kind.as_deref());
        let of_object = |(object, conditions): (&'r ObjectRef, &'r [_])| {
            let is_route = KINDS.iter().any(|kind| kind.as_str() == object.kind);
            let conditions = conditions.iter().filter(move |_| is_route);
            conditions.filter_map(move |one: &'r crate::mesh::condition::Condition| {
                let about = one.about.as_ref().filter(|about| is_its(about))?;
                let holds = one.kind == ACCEPTED && one.status == Truth::True;
                holds.then_some((object, about))
            })
        };
        Self(report.conditions().flat_map(of_object).collect())
    }

    /// How many are attached to a listener of a Gateway.
    pub(super) fn count(&self, gateway: &Gateway, listener: &GatewayListeners) -> i32 {
        let meta = &gateway.metadata;
        let own = ObjectName::new(
            meta.namespace.clone().unwrap_or_default(),
            meta.name.clone().unwrap_or_default(),
        );
        let is_its = |(object, about): &&(&ObjectRef, &Parent)| {
            let home = about.namespace.as_ref().unwrap_or(&object.name.namespace);
            own == ObjectName::new(home, &about.name)
                && about.section.as_ref().is_none_or(|name| *name == listener.name)
                && about.port.is_none_or(|port| port == listener.port)
                && kinds(listener).any(|kind| kind.as_str() == object.kind)
        };
        let mut routes: Vec<_> = self.0.iter().filter(is_its).map(|(object, _)| object).collect();
        routes.dedup();
        i32::try_from(routes.len()).unwrap_or(i32::MAX)
    }
}

/// The kinds of routes that a listener takes.
pub(super) fn supported(listener: &GatewayListeners) -> Vec<SupportedKind> {
    let kind = |kind: RouteKind| SupportedKind {
        group: Some(GATEWAY_API.to_owned()),
        kind: kind.as_str().to_owned(),
    };
    kinds(listener).map(kind).collect()
}

/// Kinds that a listener names and that are none of these.
pub(super) fn unsupported(listener: &GatewayListeners) -> Option<String> {
    let named = listener.allowed_routes.iter().flat_map(|allowed| allowed.kinds.iter().flatten());
    let unknown = named.filter(|one| {
        !is_ours(one.group.as_deref()) || KINDS.iter().all(|kind| kind.as_str() != one.kind)
    });
    let unknown: Vec<_> = unknown.map(|one| one.kind.as_str()).collect();
    (!unknown.is_empty()).then(|| format!("unsupported kinds of routes: {}", unknown.join(", ")))
}

fn kinds(listener: &GatewayListeners) -> impl Iterator<Item = RouteKind> {
    KINDS.into_iter().filter(|kind| takes(listener, kind.as_str()))
}

const KINDS: [RouteKind; 4] = RouteKind::ALL;
