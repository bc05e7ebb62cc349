//! The status of a Gateway that is a waypoint: conditions, addresses, listeners
//! (Istio `pilot/pkg/config/kube/gateway/conditions.go`, with its reasons and messages).
//!
//! It writes nothing; what it says of listeners is what enforcement goes by.
//!
//! **Invariant:** addresses that were once reported stay.
//! **Invariant:** nothing is due when the status says all that already, whoever wrote it.

mod assigned;
mod attached;
mod conditions;

use gateway_api::experimental::gateways::{
    Gateway, GatewayListeners, GatewayStatus, GatewayStatusAddresses, GatewayStatusListeners,
};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use crate::sync::objects::Objects;

use super::ours::Runs;
use assigned::Assigned;
pub(super) use attached::Attached;
use conditions::{Truth, conditions};

/// What a status is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts<'a> {
    /// The objects.
    pub(super) objects: &'a Objects,
    /// The domain of Services' host names.
    pub(super) cluster_domain: &'a str,
    /// Where the waypoint runs.
    pub(super) runs: Runs,
    /// Why it is not served as it is written.
    pub(super) refusal: Option<&'a Refusal>,
    /// What could not be written for it.
    pub(super) trouble: Option<&'a str>,
    /// The routes that are attached to Gateways.
    pub(super) attached: &'a Attached<'a>,
}

/// Why a Gateway is not served as it is written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Refusal {
    /// Its listeners are none that a waypoint has.
    Listeners(String),
    /// What it is customised with is not understood.
    Parameters(String),
}

impl Refusal {
    /// One word.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Listeners(_) => LISTENERS_NOT_VALID,
            Self::Parameters(_) => "InvalidParameters",
        }
    }

    /// A sentence.
    pub(super) fn message(&self) -> &str {
        match self {
            Self::Listeners(message) | Self::Parameters(message) => message,
        }
    }
}

/// The status to write, unless it is so already.
pub(super) fn due(gateway: &Gateway, facts: &Facts<'_>, now: Timestamp) -> Option<Value> {
    let assigned = Assigned::of(gateway, facts);
    let current = gateway.status.clone().unwrap_or_default();
    let generation = gateway.metadata.generation;
    let listeners = gateway.spec.listeners.iter().map(|listener| {
        let before = current.listeners.iter().flatten().find(|one| one.name == listener.name);
        let before = before.map(|one| one.conditions.as_slice()).unwrap_or_default();
        let truths = of_listener(listener, facts, &assigned);
        GatewayStatusListeners {
            attached_routes: facts.attached.count(gateway, listener),
            conditions: conditions(&truths, before, generation, now),
            name: listener.name.clone(),
            supported_kinds: Some(attached::supported(listener)),
        }
    });
    let before = current.conditions.as_deref().unwrap_or_default();
    let ours = conditions(&of_gateway(gateway, facts, &assigned), before, generation, now);
    let wanted = GatewayStatus {
        addresses: assigned.addresses.clone().or_else(|| current.addresses.clone()),
        conditions: Some(ours),
        listeners: Some(listeners.collect()),
        ..GatewayStatus::default()
    };
    (!says(&current, &wanted)).then(|| json!({ "status": content(&wanted) }))
}

/// Whether a status says all that is wanted.
fn says(current: &GatewayStatus, wanted: &GatewayStatus) -> bool {
    let listener = |wanted: &GatewayStatusListeners| {
        let current = current.listeners.iter().flatten().find(|one| one.name == wanted.name);
        current.is_some_and(|current| {
            current.attached_routes == wanted.attached_routes
                && current.supported_kinds == wanted.supported_kinds
                && conditions::are_among(&wanted.conditions, &current.conditions)
        })
    };
    let (mut listeners, all) = (wanted.listeners.iter().flatten(), current.listeners.as_ref());
    let count = wanted.listeners.as_ref().map_or(0, Vec::len);
    let before = current.conditions.as_deref().unwrap_or_default();
    current.addresses.as_deref().unwrap_or_default()
        == wanted.addresses.as_deref().unwrap_or_default()
        && conditions::are_among(wanted.conditions.as_deref().unwrap_or_default(), before)
        && all.map_or(0, Vec::len) == count
        && listeners.all(listener)
}

/// The status, as it is applied; what is empty is left out, as the schema wants it.
fn content(wanted: &GatewayStatus) -> Value {
    let mut content = json!(wanted);
    if let Some(fields) = content.as_object_mut() {
        fields.retain(|_, value| value.as_array().is_none_or(|items| !items.is_empty()));
    }
    content
}

/// What there is to say of the Gateway.
fn of_gateway(gateway: &Gateway, facts: &Facts<'_>, assigned: &Assigned) -> [Truth; 3] {
    let accepted = match facts.refusal {
        Some(refusal) => Truth::no("Accepted", refusal.reason(), refusal.message()),
        None => match assigned::unsupported(gateway, facts.runs) {
            Some(message) => Truth::no("Accepted", "UnsupportedAddress", message),
            None => Truth::yes("Accepted", "Accepted", "Resource accepted"),
        },
    };
    let resolved = Truth::yes("ResolvedRefs", "ResolvedRefs", "All references resolved");
    [accepted, programmed(facts, assigned), resolved]
}

/// Whether the waypoint is there for its clients.
fn programmed(facts: &Facts<'_>, assigned: &Assigned) -> Truth {
    let no = |reason, message: &str| Truth::no("Programmed", reason, message);
    match (facts.refusal, facts.trouble) {
        (Some(refusal @ Refusal::Listeners(_)), _) => no("Invalid", refusal.message()),
        (_, Some(trouble)) => no("Invalid", trouble),
        _ => match &assigned.missing {
            None => Truth::yes("Programmed", "Programmed", &assigned.message),
            Some(reason) => no(reason, &assigned.message),
        },
    }
}

/// What there is to say of its listener.
fn of_listener(listener: &GatewayListeners, facts: &Facts<'_>, assigned: &Assigned) -> [Truth; 4] {
    let fine = "No errors found";
    let bad = matches!(facts.refusal, Some(Refusal::Listeners(_)));
    let message = facts.refusal.map_or(fine, Refusal::message);
    let accepted = if bad {
        let is_hbone = listener.protocol == "HBONE" && listener.port == 15008;
        Truth::no("Accepted", if is_hbone { "Invalid" } else { "UnsupportedProtocol" }, message)
    } else {
        Truth::yes("Accepted", "Accepted", fine)
    };
    let programmed = match (bad, &assigned.missing) {
        (true, _) => Truth::no("Programmed", "Invalid", message),
        (false, Some(_)) => Truth::no("Programmed", "Pending", &assigned.message),
        (false, None) => Truth::yes("Programmed", "Programmed", fine),
    };
    [
        accepted,
        Truth::no("Conflicted", "NoConflicts", fine),
        programmed,
        match attached::unsupported(listener) {
            Some(unknown) => Truth::no("ResolvedRefs", "InvalidRouteKinds", unknown),
            None => Truth::yes("ResolvedRefs", "ResolvedRefs", fine),
        },
    ]
}

/// An address of this type.
fn address(kind: &str, value: impl Into<String>) -> GatewayStatusAddresses {
    GatewayStatusAddresses { r#type: Some(kind.to_owned()), value: value.into() }
}

/// Why a Gateway with other listeners than a waypoint's is refused; also what findings say.
pub(super) const LISTENERS_NOT_VALID: &str = "ListenersNotValid";

#[cfg(test)]
mod tests;
