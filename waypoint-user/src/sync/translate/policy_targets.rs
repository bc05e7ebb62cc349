//! What an AuthorizationPolicy is attached to (Istio `pilot/pkg/model/policyattachment.go`).
//!
//! It reads no rules.

use crate::{
    mesh::{
        condition::{Condition, WAYPOINT_ACCEPTED},
        label::WAYPOINT_CONTROLLER,
        object::{ObjectName, ObjectRef},
        policy::PolicyTarget,
        report::{Finding, Report, Severity},
    },
    sync::{
        authorization::TargetRef,
        finding::{accepted, error, warning},
    },
};

use super::{
    gateways::is_waypoint_class,
    route_parents::ISTIO_NETWORKING,
    routes::{Services, hosts_of},
    scene::Scene,
};

/// The targets that are honoured; the others are told of.
pub(super) fn resolve(
    scene: &Scene<'_>,
    services: &Services,
    object: &ObjectRef,
    references: &[TargetRef],
    report: &mut Report,
) -> Vec<PolicyTarget> {
    let mut targets = Vec::new();
    let mut outcomes = Vec::new();
    for reference in references {
        let (target, finding) = target(scene, services, &object.name, reference);
        outcomes.push((reference, finding.clone()));
        report.add(object.clone(), finding);
        targets.extend(target.filter(|target| !targets.contains(target)));
    }
    report.set(object.clone(), condition(&object.name, &outcomes));
    targets
}

/// One condition for all targets: it holds if one of them is bound, and names those that are not.
fn condition(policy: &ObjectName, outcomes: &[(&TargetRef, Finding)]) -> Condition {
    if let [(_, finding)] = outcomes {
        let bound = is_bound(finding);
        return Condition::new(WAYPOINT_ACCEPTED, bound, &*finding.reason, &*finding.message);
    }
    let unbound = outcomes.iter().filter(|(_, finding)| !is_bound(finding));
    let unbound: Vec<String> = unbound.map(|(reference, _)| ancestor(policy, reference)).collect();
    let bound = unbound.len() < outcomes.len();
    let reason = match (bound, unbound.is_empty()) {
        (true, true) => "Accepted",
        (true, false) => "PartiallyInvalid",
        (false, _) => "Invalid",
    };
    let message = match unbound.as_slice() {
        [] => "bound to every target".to_owned(),
        some => format!("Invalid targetRefs: {}", some.join(", ")),
    };
    Condition::new(WAYPOINT_ACCEPTED, bound, reason, message)
}

fn is_bound(finding: &Finding) -> bool {
    finding.severity == Severity::Accepted
}

/// How a target is named among others.
fn ancestor(policy: &ObjectName, reference: &TargetRef) -> String {
    let namespace = reference.namespace.as_ref().unwrap_or(&policy.namespace);
    let name = match reference.kind.as_str() {
        "GatewayClass" => ObjectName::cluster(&reference.name),
        _ => ObjectName::new(namespace, &reference.name),
    };
    ObjectRef::new(&reference.kind, name).to_string()
}

/// A target, if it is honoured, and what there is to say of it. What is not there yet is honoured:
/// it may come, and must then find the policy in force.
fn target(
    scene: &Scene<'_>,
    services: &Services,
    policy: &ObjectName,
    reference: &TargetRef,
) -> (Option<PolicyTarget>, Finding) {
    let home = &policy.namespace;
    let name = ObjectName::new(home, &reference.name);
    let foreign = reference.namespace.as_ref().is_some_and(|namespace| namespace != home);
    match (reference.group.as_str(), reference.kind.as_str()) {
        _ if foreign => {
            let message = format!("target {} is in another namespace", reference.name);
            (None, error("Invalid", message))
        }
        ("" | "core", "Service") => {
            let finding = service(services, &name);
            (Some(PolicyTarget::Service(name)), finding)
        }
        (ISTIO_NETWORKING, "ServiceEntry") => {
            let finding = entry(scene, services, &name);
            (Some(PolicyTarget::ServiceEntry(name)), finding)
        }
        (GATEWAY_API, "Gateway") => {
            let finding = match scene.waypoints.get(&name) {
                Some(_) => accepted("Accepted", format!("bound to {name}")),
                None => error("TargetNotFound", format!("Gateway {name} is not a waypoint")),
            };
            (Some(PolicyTarget::Gateway(name)), finding)
        }
        (GATEWAY_API, "GatewayClass") => class(scene, home, &reference.name),
        (group, kind) => {
            let message = format!("target {group}/{kind} {} is not supported yet", reference.name);
            (None, error("Unsupported", message))
        }
    }
}

fn service(services: &Services, name: &ObjectName) -> Finding {
    match services.get(name).map(|service| service.binding.waypoint()) {
        Some(Some(waypoint)) => accepted("Accepted", format!("bound to {waypoint}")),
        Some(None) => {
            let message = format!("Service {name} is not bound to a waypoint");
            error("AncestorNotBound", message)
        }
        None => error("TargetNotFound", format!("Service {name} not found")),
    }
}

fn entry(scene: &Scene<'_>, services: &Services, name: &ObjectName) -> Finding {
    if !scene.objects.service_entries.contains_key(name) {
        return error("TargetNotFound", format!("ServiceEntry {name} not found"));
    }
    let bound = hosts_of(services, name).find_map(|service| service.binding.waypoint());
    bound.map_or_else(
        || error("AncestorNotBound", format!("ServiceEntry {name} is not bound to a waypoint")),
        |waypoint| accepted("Accepted", format!("bound to {waypoint}")),
    )
}

fn class(scene: &Scene<'_>, home: &str, name: &str) -> (Option<PolicyTarget>, Finding) {
    let root = &scene.settings.root_namespace;
    if home != root {
        let message = format!(
            "AuthorizationPolicy must be in the root namespace `{root}` \
             when referencing a GatewayClass"
        );
        return (None, error("Invalid", message));
    }
    let target = Some(PolicyTarget::GatewayClass(name.to_owned()));
    if is_waypoint_class(scene.objects, name) {
        return (target, accepted("Accepted", format!("bound to {name}")));
    }
    if scene.objects.gateway_classes.contains_key(&ObjectName::cluster(name)) {
        let message =
            format!("GatewayClass must use controller name `{WAYPOINT_CONTROLLER}` for waypoints");
        return (None, error("Invalid", message));
    }
    (target, warning("TargetNotFound", format!("GatewayClass {name} not found")))
}

/// The API group of Gateways.
const GATEWAY_API: &str = "gateway.networking.k8s.io";
