//! The configuration in force as JSON, for people.
//!
//! It shows what was decided, not how the objects were written.

use serde_json::{Value, json};

use crate::mesh::{
    binding::Binding,
    object::ObjectRef,
    report::{Finding, Report},
    service::Service,
    snapshot::Snapshot,
    waypoint::Waypoint,
    workload::Workload,
};

/// A Snapshot and the Report made with it.
pub fn show(snapshot: &Snapshot, report: &Report) -> String {
    let dump = json!({
        "services": services(snapshot),
        "workloads": workloads(snapshot),
        "waypoints": waypoints(snapshot),
        "routes": snapshot.routes().keys().map(ToString::to_string).collect::<Vec<_>>(),
        "policies": snapshot.policies().keys().map(ToString::to_string).collect::<Vec<_>>(),
        "report": report.iter().map(|(object, found)| finding(object, found)).collect::<Vec<_>>(),
    });
    format!("{dump:#}\n")
}

fn services(snapshot: &Snapshot) -> Vec<Value> {
    let show = |service: &Service| {
        let ready = service.endpoints.iter().filter(|endpoint| endpoint.ready).count();
        json!({
            "name": service.name.to_string(),
            "vips": service.vips,
            "ports": service.ports.iter().map(|port| port.number).collect::<Vec<_>>(),
            "endpoints": { "ready": ready, "total": service.endpoints.len() },
            "waypoint": binding(&service.binding),
            "failClosed": service.fail_closed,
        })
    };
    snapshot.services().values().map(|service| show(service)).collect()
}

fn workloads(snapshot: &Snapshot) -> Vec<Value> {
    let show = |workload: &Workload| {
        json!({
            "name": workload.name.to_string(),
            "addresses": workload.addresses,
            "identity": workload.identity.to_string(),
            "ready": workload.ready,
            "enrolment": format!("{:?}", workload.enrolment),
            "netns": workload.netns.as_ref().map(ToString::to_string),
            "waypoint": binding(&workload.binding),
            "failClosed": workload.fail_closed,
        })
    };
    snapshot.workloads().values().map(|workload| show(workload)).collect()
}

fn waypoints(snapshot: &Snapshot) -> Vec<Value> {
    let show = |waypoint: &Waypoint| {
        json!({
            "name": waypoint.name.to_string(),
            "class": waypoint.class,
            "for": waypoint.takes.as_str(),
            "ready": waypoint.ready,
        })
    };
    snapshot.waypoints().values().map(|waypoint| show(waypoint)).collect()
}

fn finding(object: &ObjectRef, finding: &Finding) -> Value {
    json!({
        "object": object.to_string(),
        "severity": finding.severity.to_string(),
        "reason": finding.reason,
        "message": finding.message,
    })
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
