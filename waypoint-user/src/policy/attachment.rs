//! Which policies apply (Istio `pilot/pkg/model/policyattachment.go`).
//!
//! One step goes beyond Istio, which accepts a policy for any GatewayClass and then enforces only
//! those for `istio-waypoint`: here a policy for the class of the waypoint is enforced as well.

use std::sync::Arc;

use crate::mesh::{
    label::WAYPOINT_CLASS, object::ObjectName, policy::AuthorizationPolicy, policy::PolicyTarget,
    service::Service, snapshot::Snapshot, workload::Workload,
};

/// A policy that applies, and the target by which it does.
#[derive(Clone, Debug)]
pub struct Attached {
    /// The policy.
    pub policy: Arc<AuthorizationPolicy>,
    /// What it is attached to.
    pub target: PolicyTarget,
}

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
    behind(snapshot, waypoint, &service.name.namespace, &[service.policy_target()])
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
    let applies = |target: &&PolicyTarget| match target {
        PolicyTarget::Pods(selector) => selector.matches(&workload.labels),
        _ => false,
    };
    let attached = own.iter().chain(shared).filter_map(|policy| {
        let target = policy.targets.iter().find(applies)?.clone();
        Some(Attached { policy: Arc::clone(policy), target })
    });
    attached.collect()
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
            let known = attached.iter().any(|known| known.policy.name == policy.name);
            if !known && may_target(snapshot, policy, target) {
                attached.push(Attached { policy: Arc::clone(policy), target: target.clone() });
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
