//! Which waypoint stands before each Service and each pod.
//!
//! It asks `select`, as the agent does.

use serde_json::{Value, json};

use crate::{
    cli::Table,
    mesh::{
        binding::{Canary, Refusal},
        object::{ObjectName, ObjectRef},
        snapshot::Snapshot,
        workload::Enrolment,
    },
    select::{self, Choice, Direct},
};

use super::{named, within::Within};

/// For people.
pub(super) fn table(snapshot: &Snapshot, within: &Within) -> Table<4> {
    let mut table = Table::new(["DESTINATION", "WAYPOINT", "WITHOUT IT", "CAPTURED"]);
    for row in rows(snapshot, within) {
        let waypoint = match (row.waypoint, row.refused) {
            (Some(waypoint), _) => match row.canary {
                Some(canary) => format!("{waypoint}, {}% {}", canary.weight, canary.waypoint),
                None => waypoint.to_string(),
            },
            (None, Some(refusal)) => {
                format!("none ({}: {})", refusal.reason.as_str(), refusal.waypoint)
            }
            (None, None) => "none".to_owned(),
        };
        let object = row.object.to_string();
        table.row([object, waypoint, row.without.to_owned(), row.captured.to_owned()]);
    }
    table
}

/// For programs.
pub(super) fn json(snapshot: &Snapshot, within: &Within) -> Vec<Value> {
    let show = |row: Row<'_>| {
        json!({
            "destination": named(&row.object),
            "waypoint": row.waypoint.map(ToString::to_string),
            "canary": row.canary.map(|canary| json!({
                "waypoint": canary.waypoint.to_string(),
                "weight": canary.weight,
            })),
            "refused": row.refused.map(|refusal| json!({
                "waypoint": refusal.waypoint.to_string(),
                "reason": refusal.reason.as_str(),
            })),
            "without": row.without,
            "captured": row.captured,
        })
    };
    rows(snapshot, within).map(show).collect()
}

/// One destination and its waypoint.
struct Row<'a> {
    object: ObjectRef,
    waypoint: Option<&'a ObjectName>,
    canary: Option<&'a Canary>,
    refused: Option<&'a Refusal>,
    without: &'static str,
    captured: &'static str,
}

/// Services, then pods, by name.
fn rows<'s>(snapshot: &'s Snapshot, within: &'s Within) -> impl Iterator<Item = Row<'s>> {
    let services =
        snapshot.services().values().filter(|one| within.has(&one.name)).map(|service| {
            let kind = if service.external.is_some() { "ServiceEntry" } else { "Service" };
            let object = ObjectRef::new(kind, service.name.clone());
            let captured = match &service.external {
                Some(_) if service.is_headless() => "no: has no address",
                None if service.is_headless() => "as its pods",
                _ => "by its address",
            };
            let row = row(object, &select::for_service(service), service.fail_closed, captured);
            Row { canary: service.canary.as_ref(), ..row }
        });
    let workloads =
        snapshot.workloads().values().filter(|one| within.has(&one.name)).map(|workload| {
            let object = ObjectRef::new(workload.kind.as_str(), workload.name.clone());
            let captured = enrolment(workload.enrolment);
            row(object, &select::for_workload(workload), workload.fail_closed, captured)
        });
    services.chain(workloads)
}

fn row<'a>(
    object: ObjectRef,
    choice: &Choice<'a>,
    closed: bool,
    captured: &'static str,
) -> Row<'a> {
    let (waypoint, refused) = match choice {
        Choice::Waypoint { waypoint, .. } => (Some(*waypoint), None),
        Choice::Direct(Direct::Refused(refusal)) | Choice::Refuse(refusal) => {
            (None, Some(*refusal))
        }
        Choice::Direct(_) => (None, None),
    };
    Row { object, waypoint, canary: None, refused, without: without(choice, closed), captured }
}

/// What becomes of connections when nothing serves the waypoint.
fn without(choice: &Choice<'_>, closed: bool) -> &'static str {
    match choice {
        Choice::Direct(Direct::NoWaypoint(_)) => "-",
        _ if closed => "refused",
        _ => "direct",
    }
}

fn enrolment(enrolment: Enrolment) -> &'static str {
    match enrolment {
        Enrolment::Enrolled => "yes",
        Enrolment::NotLabelled => "no: not labelled",
        Enrolment::OptedOut => "no: opted out",
        Enrolment::HostNetwork => "no: host network",
        Enrolment::Sidecar => "no: has a sidecar",
        Enrolment::ExcludedNamespace => "no: namespace left out",
        Enrolment::Waypoint => "no: is a waypoint",
    }
}
