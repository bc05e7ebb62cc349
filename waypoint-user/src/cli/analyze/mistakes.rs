//! What people often get wrong, and no object can tell by itself.
//!
//! It changes nothing that is enforced: it looks at the whole mesh, and adds to its Report what
//! somebody would want to know.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use crate::{
    mesh::{
        binding::{Binding, RefusalReason},
        label::{DATAPLANE_MODE, NO_WAYPOINT, USE_WAYPOINT, USE_WAYPOINT_NAMESPACE},
        object::{ObjectName, ObjectRef},
        policy::{Action, AuthorizationPolicy, PolicyTarget},
        report::{Finding, Report, Severity},
        request::Peer,
        snapshot::Snapshot,
        spiffe::SpiffeId,
        waypoint::Placement,
        workload::{Enrolment, Workload},
    },
    policy::{Policies, never_matches},
};

/// Adds them to a Report.
pub(super) fn add(snapshot: &Snapshot, report: &mut Report) {
    namespaces(snapshot, report);
    deserted(snapshot, report);
    elsewhere(snapshot, report);
    blinded(snapshot, report);
}

/// Namespaces that use a waypoint and whose pods are not captured: what those pods open meets none.
fn namespaces(snapshot: &Snapshot, report: &mut Report) {
    for (name, labels) in snapshot.namespaces() {
        let used = labels.get(USE_WAYPOINT).filter(|waypoint| *waypoint != NO_WAYPOINT);
        let ambient = labels.get(DATAPLANE_MODE).is_some_and(|mode| mode == "ambient");
        if let (Some(waypoint), false) = (used, ambient) {
            let message = format!(
                "it uses waypoint {waypoint}, but the connections of its own pods are not captured \
                 and meet no waypoint; label it {DATAPLANE_MODE}: ambient"
            );
            let object = ObjectRef::new("Namespace", ObjectName::cluster(name));
            report.add(object, warning("NotAmbient", message));
        }
    }
}

/// Waypoints that are in use and have no ready pod.
fn deserted(snapshot: &Snapshot, report: &mut Report) {
    for waypoint in snapshot.waypoints().values() {
        let Placement::Pods(addresses) = &waypoint.placement else { continue };
        let pods = snapshot.instances_of(&waypoint.name);
        let foreign = pods.is_empty() && !addresses.is_empty();
        if !waypoint.ready || foreign || pods.iter().any(|pod| pod.ready) {
            continue;
        }
        let message = format!(
            "none of its {} pods is ready: connections that it should take are refused; look at \
             them with kubectl get pods -n {} -l gateway.networking.k8s.io/gateway-name={}",
            pods.len(),
            waypoint.name.namespace,
            waypoint.name.name
        );
        let object = ObjectRef::new("Gateway", waypoint.name.clone());
        report.add(object, finding(Severity::Error, "NoReadyPod", message));
    }
}

/// Labels that name a waypoint of another namespace and do not say so.
fn elsewhere(snapshot: &Snapshot, report: &mut Report) {
    let services = snapshot.services().values();
    let services = services.map(|one| ("Service", &one.name, &one.binding));
    let workloads = snapshot.workloads().values();
    let workloads = workloads.map(|one| ("Pod", &one.name, &one.binding));
    for (kind, name, binding) in services.chain(workloads) {
        let Binding::Refused(refusal) = binding else { continue };
        let waypoint = &refusal.waypoint;
        let missing = refusal.reason == RefusalReason::WaypointIsNotReady
            && !snapshot.waypoints().contains_key(waypoint);
        let mut others = snapshot.waypoints().keys().filter(|one| one.name == waypoint.name);
        if let Some(other) = others.next().filter(|_| missing) {
            let message = format!(
                "there is no Gateway {waypoint}, but there is {other}; if that one is meant, add \
                 the label {USE_WAYPOINT_NAMESPACE}: {}",
                other.namespace
            );
            let object = ObjectRef::new(kind, name.clone());
            report.add(object, warning("WaypointElsewhere", message));
        }
    }
}

/// Policies for pods that name whom a waypoint hides.
fn blinded(snapshot: &Snapshot, report: &mut Report) {
    for workload in snapshot.workloads().values() {
        if workload.enrolment != Enrolment::Enrolled {
            continue;
        }
        for waypoint in waypoints_before(snapshot, workload) {
            let peer = peer(snapshot, waypoint);
            for attached in Policies::of_destination(snapshot, workload) {
                let policy = &attached.policy;
                let by_pods = matches!(attached.target, PolicyTarget::Pods(_));
                if by_pods && never_matches(policy, &peer) {
                    let object = ObjectRef::new("AuthorizationPolicy", policy.name.clone());
                    report.add(object, hidden(policy, waypoint, &peer));
                }
            }
        }
    }
}

/// The waypoints through which connections come to a pod.
fn waypoints_before<'s>(snapshot: &'s Snapshot, workload: &'s Workload) -> Vec<&'s ObjectName> {
    let services = snapshot.services_of(&workload.name).iter();
    let of_services = services.filter_map(|service| service.binding.waypoint());
    let mut waypoints: Vec<_> = of_services.chain(workload.binding.waypoint()).collect();
    waypoints.sort();
    waypoints.dedup();
    waypoints
}

/// As whom a waypoint opens connections.
fn peer(snapshot: &Snapshot, waypoint: &ObjectName) -> Peer {
    let pod = snapshot.instances_of(waypoint).first();
    let address = pod.and_then(|pod| pod.addresses.first().copied());
    let identity = match pod {
        Some(pod) => Arc::clone(&pod.identity),
        // Its controller gives a waypoint an account of its own name.
        None => Arc::new(SpiffeId::new(
            &snapshot.settings().trust_domain,
            &waypoint.namespace,
            &waypoint.name,
        )),
    };
    let address = address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    Peer { identity: Some(identity), ..Peer::unknown(SocketAddr::new(address, 0)) }
}

fn hidden(policy: &AuthorizationPolicy, waypoint: &ObjectName, peer: &Peer) -> Finding {
    let principal = peer.identity.as_ref().map(|identity| identity.principal());
    let principal = principal.unwrap_or_default();
    let effect = match policy.action {
        Action::Allow => "permits nothing that comes through it",
        Action::Deny => "denies nothing that comes through it",
    };
    warning(
        "ClientHidden",
        format!(
            "pods that it selects are behind waypoint {waypoint}, which asks in its own name \
             ({principal}), so the policy {effect}; attach it to the Service by targetRefs, or \
             name that principal"
        ),
    )
}

fn warning(reason: &str, message: String) -> Finding {
    finding(Severity::Warning, reason, message)
}

fn finding(severity: Severity, reason: &str, message: String) -> Finding {
    Finding { severity, reason: reason.to_owned(), message }
}
