//! The configuration in force as JSON, for people and for `waypointctl`.
//!
//! It shows what was decided, not how the objects were written.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    mesh::{binding::Binding, report::Report, snapshot::Snapshot},
    sync::Feed,
};

/// Shows whatever is in force when it is asked.
pub(super) fn of(feed: &Feed) -> Box<dyn Fn() -> String + Send + Sync> {
    let (snapshots, reports) = (feed.snapshots.clone(), feed.reports.clone());
    Box::new(move || {
        let snapshot = Arc::clone(&snapshots.borrow());
        let report = Arc::clone(&reports.borrow());
        format!("{:#}\n", dump(&snapshot, &report))
    })
}

/// A Snapshot and its Report.
fn dump(snapshot: &Snapshot, report: &Report) -> Value {
    json!({
        "services": services(snapshot),
        "workloads": workloads(snapshot),
        "waypoints": waypoints(snapshot),
        "routes": snapshot.routes().keys().map(ToString::to_string).collect::<Vec<_>>(),
        "policies": snapshot.policies().keys().map(ToString::to_string).collect::<Vec<_>>(),
        "report": findings(report),
    })
}

fn services(snapshot: &Snapshot) -> Vec<Value> {
    let show = |service: &crate::mesh::service::Service| {
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
    let show = |workload: &crate::mesh::workload::Workload| {
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
    let show = |waypoint: &crate::mesh::waypoint::Waypoint| {
        json!({
            "name": waypoint.name.to_string(),
            "class": waypoint.class,
            "for": waypoint.takes.as_str(),
            "ready": waypoint.ready,
        })
    };
    snapshot.waypoints().values().map(|waypoint| show(waypoint)).collect()
}

fn findings(report: &Report) -> Vec<Value> {
    let show = |(object, finding): (_, &crate::mesh::report::Finding)| {
        let _: &crate::mesh::object::ObjectRef = object;
        json!({
            "object": object.to_string(),
            "severity": finding.severity.to_string(),
            "reason": finding.reason,
            "message": finding.message,
        })
    };
    report.iter().map(show).collect()
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
