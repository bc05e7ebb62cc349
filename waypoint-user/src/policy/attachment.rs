//! Which policies apply (Istio `pilot/pkg/model/policyattachment.go`).
//!
//! One step goes beyond Istio, which accepts a policy for any GatewayClass and then enforces only
//! those for `istio-waypoint`: here a policy for the class of the waypoint is enforced as well.

use std::sync::Arc;

use crate::mesh::{
    label::WAYPOINT_CLASS, object::ObjectName, policy::AuthorizationPolicy, policy::PolicyTarget,
    service::Service, snapshot::Snapshot, workload::Workload,
};

/// A policy that applies.
pub(super) type Attached = Arc<AuthorizationPolicy>;

/// The policies of connections addressed to a Service.
pub(super) fn of_service(snapshot: &Snapshot, service: &Service) -> Vec<Attached> {
    let Some(waypoint) = service.binding.waypoint() else { return Vec::new() };
    through(snapshot, waypoint, service)
}

/// The policies of connections addressed to a Service that this waypoint takes.
pub(super) fn through(
    snapshot: &Snapshot,
    waypoint: &ObjectName,
    service: &Service,
) -> Vec<Attached> {
    let own = match &service.external {
        Some(external) => [PolicyTarget::ServiceEntry(external.entry.clone())],
        None => [PolicyTarget::Service(service.name.clone())],
    };
    behind(snapshot, waypoint, &service.name.namespace, &own)
}

/// The policies of connections addressed to a workload.
pub(super) fn of_workload(snapshot: &Snapshot, workload: &Workload) -> Vec<Attached> {
    let Some(waypoint) = workload.binding.waypoint() else { return Vec::new() };
    behind(snapshot, waypoint, &workload.name.namespace, &[])
}

/// The policies of whatever reaches a workload, judged where the workload is: of its own namespace
/// and of the root namespace, by its labels.
pub(super) fn at_destination(snapshot: &Snapshot, workload: &Workload) -> Vec<Attached> {
    let (home, root) = (&workload.name.namespace, &snapshot.settings().root_namespace);
    let own = snapshot.pod_policies_of(home);
    let shared = if root == home { &[] } else { snapshot.pod_policies_of(root) };
    let applies = |policy: &&Attached| {
        policy.targets.iter().any(|target| match target {
            PolicyTarget::Pods(selector) => selector.matches(&workload.labels),
            _ => false,
        })
    };
    own.iter().chain(shared).filter(applies).cloned().collect()
}

/// The policies of an object of its own and of its waypoint, each once.
fn behind(
    snapshot: &Snapshot,
    waypoint: &ObjectName,
    namespace: &str,
    own: &[PolicyTarget],
) -> Vec<Attached> {
    let class = snapshot.waypoints().get(waypoint).map(|waypoint| waypoint.class.clone());
    let shared = [
        PolicyTarget::Gateway(waypoint.clone()),
        PolicyTarget::Namespace(namespace.to_owned()),
        PolicyTarget::Namespace(waypoint.namespace.clone()),
        PolicyTarget::GatewayClass(WAYPOINT_CLASS.to_owned()),
        PolicyTarget::GatewayClass(class.unwrap_or_default()),
    ];
    let mut attached: Vec<Attached> = Vec::new();
    for target in own.iter().chain(&shared) {
        for policy in snapshot.policies_of(target) {
            let known = attached.iter().any(|known| known.name == policy.name);
            if !known && may_target(snapshot, policy, target) {
                attached.push(Arc::clone(policy));
            }
        }
    }
    attached
}

/// Whether a policy may have this target: only the root namespace speaks for a whole class.
fn may_target(snapshot: &Snapshot, policy: &AuthorizationPolicy, target: &PolicyTarget) -> bool {
    match target {
        PolicyTarget::GatewayClass(_) => {
            policy.name.namespace == snapshot.settings().root_namespace
        }
        _ => true,
    }
}
