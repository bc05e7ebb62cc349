//! Where each waypoint runs, and whether anything of it does.

use serde_json::{Value, json};

use crate::{
    cli::Table,
    mesh::{
        snapshot::Snapshot,
        waypoint::{Placement, Waypoint},
    },
};

use super::within::Within;

/// For people.
pub(super) fn table(snapshot: &Snapshot, within: &Within) -> Table<6> {
    let mut table = Table::new(["GATEWAY", "CLASS", "TAKES", "READY", "RUNS", "INSTANCES"]);
    for waypoint in snapshot.waypoints().values().filter(|one| within.has(&one.name)) {
        table.row([
            waypoint.name.to_string(),
            waypoint.class.clone(),
            waypoint.takes.as_str().to_owned(),
            if waypoint.ready { "yes" } else { "no" }.to_owned(),
            runs(waypoint),
            instances(snapshot, waypoint),
        ]);
    }
    table
}

/// For programs.
pub(super) fn json(snapshot: &Snapshot, within: &Within) -> Vec<Value> {
    let show = |waypoint: &Waypoint| {
        let pods = snapshot.instances_of(&waypoint.name);
        json!({
            "gateway": waypoint.name.to_string(),
            "class": waypoint.class,
            "takes": waypoint.takes.as_str(),
            "ready": waypoint.ready,
            "runs": runs(waypoint),
            "instances": pods.iter().map(|pod| json!({
                "pod": pod.name.to_string(),
                "addresses": pod.addresses,
                "ready": pod.ready,
            })).collect::<Vec<_>>(),
        })
    };
    let shown = snapshot.waypoints().values().filter(|one| within.has(&one.name));
    shown.map(|waypoint| show(waypoint)).collect()
}

/// Where it runs.
fn runs(waypoint: &Waypoint) -> String {
    match &waypoint.placement {
        Placement::Here => "here".to_owned(),
        Placement::Node => "on its clients' nodes".to_owned(),
        Placement::Pods(addresses) if addresses.is_empty() => "in pods".to_owned(),
        Placement::Pods(addresses) => {
            let addresses = addresses.iter().map(ToString::to_string).collect::<Vec<_>>();
            format!("in pods, at {}", addresses.join(" "))
        }
    }
}

/// How many of its pods are known, and ready.
fn instances(snapshot: &Snapshot, waypoint: &Waypoint) -> String {
    if !matches!(waypoint.placement, Placement::Pods(_)) {
        return "-".to_owned();
    }
    let pods = snapshot.instances_of(&waypoint.name);
    let ready = pods.iter().filter(|pod| pod.ready).count();
    format!("{ready} of {} ready", pods.len())
}
