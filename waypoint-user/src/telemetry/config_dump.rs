//! The configuration in force as JSON, for people.
//!
//! It shows what was decided, not how the objects were written.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::mesh::{
    binding::{Binding, Canary},
    external::External,
    node::Node,
    object::ObjectRef,
    policy::{Action, AuthorizationPolicy, PolicyTarget},
    report::{Finding, Report},
    route::RouteKind,
    service::Service,
    snapshot::{CaptureMode, Settings, Snapshot},
    traffic_policy::TrafficPolicy,
    waypoint::{InboundBinding, Placement, Waypoint},
    workload::{Admission, MutualTls, Transport, Workload},
};

/// A Snapshot and the Report made with it.
pub fn show(snapshot: &Snapshot, report: &Report) -> String {
    let dump = json!({
        "settings": settings(snapshot.settings()),
        "nodes": nodes(snapshot),
        "services": services(snapshot),
        "workloads": workloads(snapshot),
        "waypoints": waypoints(snapshot),
        "routes": routes(snapshot, RouteKind::Http),
        "grpcRoutes": routes(snapshot, RouteKind::Grpc),
        "tlsRoutes": routes(snapshot, RouteKind::Tls),
        "tcpRoutes": routes(snapshot, RouteKind::Tcp),
        "policies": policies(snapshot),
        "trafficPolicies": traffic_policies(snapshot),
        "report": report.iter().map(|(object, found)| finding(object, found)).collect::<Vec<_>>(),
    });
    format!("{dump:#}\n")
}

fn routes(snapshot: &Snapshot, kind: RouteKind) -> Vec<String> {
    snapshot.routes_of_kind(kind).keys().map(ToString::to_string).collect()
}

fn traffic_policies(snapshot: &Snapshot) -> Vec<Value> {
    let show = |policy: &TrafficPolicy| {
        json!({
            "name": policy.name.to_string(),
            "targets": policy.targets.iter().map(|one| format!("{one:?}")).collect::<Vec<_>>(),
        })
    };
    snapshot.traffic_policies().values().map(|policy| show(policy)).collect()
}

fn settings(settings: &Settings) -> Value {
    json!({
        "trustDomain": settings.trust_domain,
        "clusterDomain": settings.cluster_domain,
        "rootNamespace": settings.root_namespace,
        "excludedNamespaces": settings.excluded_namespaces,
        "capture": match settings.capture {
            CaptureMode::Waypoint => "waypoint",
            CaptureMode::Mesh => "mesh",
        },
    })
}

fn nodes(snapshot: &Snapshot) -> Vec<Value> {
    let show = |node: &Node| {
        json!({
            "name": node.name.to_string(),
            "addresses": node.addresses,
            "region": node.region,
            "zone": node.zone,
        })
    };
    snapshot.nodes().values().map(|node| show(node)).collect()
}

fn services(snapshot: &Snapshot) -> Vec<Value> {
    let show = |service: &Service| {
        let ready = service.endpoints.iter().filter(|endpoint| endpoint.ready).count();
        json!({
            "name": service.name.to_string(),
            "host": service.host(&snapshot.settings().cluster_domain),
            "external": service.external.as_ref().map(external),
            "vips": service.vips,
            "ports": service.ports.iter().map(|port| port.number).collect::<Vec<_>>(),
            "trafficDistribution": service.distribution.as_str(),
            "endpoints": { "ready": ready, "total": service.endpoints.len() },
            "waypoint": binding(&service.binding),
            "canary": service.canary.as_ref().map(canary),
            "failClosed": service.fail_closed,
        })
    };
    snapshot.services().values().map(|service| show(service)).collect()
}

/// What a ServiceEntry says.
fn external(external: &External) -> Value {
    let names = external.resolution.names().iter();
    json!({
        "entry": external.entry.to_string(),
        "ranges": external.ranges.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "resolution": external.resolution.as_str(),
        "names": names.map(|one| one.host.as_str()).collect::<Vec<_>>(),
        "private": external.private,
    })
}

fn workloads(snapshot: &Snapshot) -> Vec<Value> {
    let show = |workload: &Workload| {
        json!({
            "name": workload.name.to_string(),
            "kind": workload.kind.as_str(),
            "uid": &*workload.uid,
            "node": workload.node,
            "addresses": workload.addresses,
            "identity": workload.identity.to_string(),
            "ready": workload.ready,
            "enrolment": format!("{:?}", workload.enrolment),
            "hostNetwork": workload.host_network,
            "netns": workload.netns.as_ref().map(ToString::to_string),
            "instanceOf": workload.instance_of.as_ref().map(ToString::to_string),
            "transport": match workload.transport {
                Transport::Plain => "plain",
                Transport::Hbone => "hbone",
            },
            "mutualTls": mutual_tls(&workload.mutual_tls),
            "admission": admission(&workload.admission),
            "waypoint": binding(&workload.binding),
            "failClosed": workload.fail_closed,
        })
    };
    snapshot.workloads().values().map(|workload| show(workload)).collect()
}

fn waypoints(snapshot: &Snapshot) -> Vec<Value> {
    let instances = |waypoint: &Waypoint| -> Vec<String> {
        let pods = snapshot.instances_of(&waypoint.name).iter();
        pods.map(|pod| pod.name.to_string()).collect()
    };
    let show = |waypoint: &Waypoint| {
        json!({
            "name": waypoint.name.to_string(),
            "class": waypoint.class,
            "for": waypoint.takes.as_str(),
            "ready": waypoint.ready,
            "placement": placement(&waypoint.placement),
            "instances": instances(waypoint),
            "inboundBinding": waypoint.inbound_binding.map(inbound_binding),
        })
    };
    snapshot.waypoints().values().map(|waypoint| show(waypoint)).collect()
}

fn policies(snapshot: &Snapshot) -> Vec<Value> {
    let root = &snapshot.settings().root_namespace;
    let show = |policy: &AuthorizationPolicy| {
        let scope = policy.targets.iter().map(|target| scope(target, policy, root));
        json!({
            "name": policy.name.to_string(),
            "action": match policy.action {
                Action::Allow => "ALLOW",
                Action::Deny => "DENY",
            },
            "scope": scope.collect::<Vec<_>>(),
            "dryRun": policy.dry_run,
        })
    };
    snapshot.policies().values().map(|policy| show(policy)).collect()
}

/// What a policy is for; of those for pods, by ztunnel's words.
fn scope(target: &PolicyTarget, policy: &AuthorizationPolicy, root: &str) -> String {
    match target {
        PolicyTarget::Service(name) => format!("Service {name}"),
        PolicyTarget::ServiceEntry(name) => format!("ServiceEntry {name}"),
        PolicyTarget::Gateway(name) => format!("Gateway {name}"),
        PolicyTarget::GatewayClass(name) => format!("GatewayClass {name}"),
        PolicyTarget::Namespace(name) => format!("Namespace {name}"),
        PolicyTarget::Pods(selector) if !selector.requirements.is_empty() => {
            "WorkloadSelector".to_owned()
        }
        PolicyTarget::Pods(_) if policy.name.namespace == root => "Global".to_owned(),
        PolicyTarget::Pods(_) => "Namespace".to_owned(),
    }
}

fn finding(object: &ObjectRef, finding: &Finding) -> Value {
    json!({
        "object": object.to_string(),
        "severity": finding.severity.to_string(),
        "reason": finding.reason,
        "message": finding.message,
    })
}

/// Where callers must prove who they are, by PeerAuthentication's words.
fn mutual_tls(required: &MutualTls) -> Value {
    let (mode, other) =
        if required.strict { ("STRICT", "PERMISSIVE") } else { ("PERMISSIVE", "STRICT") };
    let ports = required.exceptions.iter().map(|port| (port.to_string(), other));
    json!({ "mode": mode, "ports": ports.collect::<BTreeMap<_, _>>() })
}

/// What the kernel is told of connections that pass the workload's waypoints by.
fn admission(admission: &Admission) -> Value {
    json!({
        "mode": admission.mode.as_str(),
        "sources": admission.sources,
        "exemptPorts": admission.exempt_ports,
        "refusesPlaintext": admission.mutual_tls,
    })
}

/// Where a waypoint runs.
fn placement(placement: &Placement) -> Value {
    match placement {
        Placement::Here => json!("here"),
        Placement::Node => json!("node"),
        Placement::Pods(addresses) => json!({ "pods": addresses }),
    }
}

/// How a waypoint's pods take connections from their agent, as the annotation says it.
fn inbound_binding(binding: InboundBinding) -> String {
    let word = if binding.proxy { "PROXY" } else { "NONE" };
    binding.port.map_or_else(|| word.to_owned(), |port| format!("{word}/{port}"))
}

fn canary(canary: &Canary) -> Value {
    json!({ "waypoint": canary.waypoint.to_string(), "weight": canary.weight })
}

/// The waypoint in force, or why there is none.
fn binding(binding: &Binding) -> Value {
    match binding {
        Binding::Direct => Value::Null,
        Binding::Bound(waypoint) => json!({ "bound": waypoint.to_string() }),
        Binding::Refused(refusal) => json!({
            "refused": refusal.waypoint.to_string(),
            "reason": refusal.reason.as_str(),
        }),
    }
}

#[cfg(test)]
mod tests;
