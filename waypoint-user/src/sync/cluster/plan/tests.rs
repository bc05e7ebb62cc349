use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    mesh::{
        route::{BackendTarget, HttpRoute},
        snapshot::Settings,
        workload::{Enrolment, Workload},
    },
    select::{
        Authority, Capture, Inbound, Outbound, captures_service, captures_workload, inbound,
        outbound,
    },
    sync::{Served, objects_in, translate},
};
use cluster::{Cluster, cluster};

mod again;
mod cluster;
mod outside;

/// Whether a server would send the object to who watches the selection.
fn is_in(selection: &Selection, document: &Value) -> bool {
    let text = |path: &str| document.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let labels = &document["metadata"]["labels"];
    let field = |field: &str| match field.split_once('=').unwrap() {
        ("spec.nodeName", node) => text("/spec/nodeName") == node,
        ("spec.hostNetwork", _) => document["spec"]["hostNetwork"] == true,
        ("status.podIP", address) => text("/status/podIP") == address,
        (other, _) => panic!("{other} cannot be selected by"),
    };
    document["kind"] == selection.kind.name
        && selection.namespace.as_deref().is_none_or(|home| text("/metadata/namespace") == home)
        && selection.labels.as_deref().is_none_or(|key| labels.get(key).is_some())
        && selection.fields.as_deref().is_none_or(field)
}

fn translated(documents: &[&Value], mesh: bool) -> (Objects, Snapshot) {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": documents}).to_string();
    let (objects, report) = objects_in(&[("all.json", list.as_bytes())]);
    let capture = if mesh { CaptureMode::Mesh } else { CaptureMode::Waypoint };
    let settings = Settings { capture, ..Settings::default() };
    let (snapshot, _) = translate(&objects, &settings, Served::ByStatus, report);
    (objects, snapshot)
}

/// What is read in a scope, and how many selections that took.
fn scoped(cluster: &Cluster, scope: &Scope) -> Snapshot {
    let documents = cluster.documents();
    let mut plan = first(scope);
    for _ in 0..10 {
        let wanted = |document: &&Value| plan.iter().any(|one| is_in(one, document));
        let read: Vec<&Value> = documents.iter().filter(wanted).collect();
        let (objects, snapshot) = translated(&read, cluster.mesh);
        let next = super::wanted(scope, &objects, &snapshot);
        if next == plan {
            return snapshot;
        }
        plan = next;
    }
    panic!("the plan does not settle: {plan:?}");
}

fn whole(cluster: &Cluster) -> Snapshot {
    let documents = cluster.documents();
    translated(&documents.iter().collect::<Vec<_>>(), cluster.mesh).1
}

/// Of a decision what is enforced: where it leads, and who must be there.
fn outbound_of(snapshot: &Snapshot, to: SocketAddr, client: &Workload) -> String {
    let who = |workload: Option<&Arc<Workload>>| workload.map(|one| one.identity.to_string());
    match outbound(snapshot, to, client, &mut |below| below / 2) {
        Outbound::Waypoint { waypoint, instances, .. } => {
            let at: Vec<_> = instances
                .iter()
                .map(|one| format!("{} {:?} {}", one.address, who(one.workload), one.nearness))
                .collect();
            format!("{} {at:?}", waypoint.name)
        }
        Outbound::Tunnel(reached) => {
            format!("tunnel {} {:?}", reached.address, who(reached.workload))
        }
        Outbound::Plain(reached) => format!("plain {}", reached.address),
        Outbound::Refuse(why) => format!("refuse {why:?}"),
    }
}

fn inbound_of(snapshot: &Snapshot, pod: &Workload, at: SocketAddr) -> String {
    match inbound(snapshot, pod, Authority::Address(at)) {
        Inbound::Deliver { address, destination, service, binding } => {
            let service = service.map(|service| &service.name);
            format!("{address} {destination} {service:?} {binding:?}")
        }
        other => format!("{other:?}"),
    }
}

/// What the kernel captures of a destination.
fn capture_of(capture: &Capture<'_>, fail_closed: bool) -> String {
    format!("{capture:?} {}", matches!(capture, Capture::Yes(_)) && fail_closed)
}

/// Addresses in the ranges of a Service that nobody has as his own.
fn inside(snapshot: &Snapshot, service: &Service) -> impl Iterator<Item = IpAddr> {
    let ranges = snapshot.ranges().filter(|(_, owner)| owner.name == service.name);
    ranges.map(|(block, _)| match block.network() {
        IpAddr::V4(first) => IpAddr::V4((u32::from(first) + UNUSED).into()),
        first @ IpAddr::V6(_) => first,
    })
}

/// Ranges, with whose they are, and what is left out of them.
fn ranges(snapshot: &Snapshot) -> (Vec<String>, BTreeSet<IpAddr>) {
    let ranges = snapshot.ranges().map(|(block, owner)| format!("{block:?} {}", owner.name));
    let ranges: Vec<_> = ranges.collect();
    // Where there is no range, nothing is left out of one.
    let exceptions = snapshot.range_exceptions().filter(|_| !ranges.is_empty());
    let exceptions = exceptions.collect();
    (ranges, exceptions)
}

/// The Services that a route leads to.
fn backends(route: &HttpRoute) -> impl Iterator<Item = &ObjectName> {
    let backends = route.rules.iter().flat_map(|rule| &rule.backends);
    backends.filter_map(|backend| match &backend.target {
        BackendTarget::Service(name, _) => Some(name),
        BackendTarget::Invalid(_) => None,
    })
}

/// The number of an address that nobody has.
const UNUSED: u32 = 200;

proptest! {
    #[test]
    fn an_agent_decides_as_if_it_read_everything(cluster in cluster()) {
        let (all, part) = (whole(&cluster), scoped(&cluster, &Scope::Node("a".to_owned())));
        let mut captured: Vec<SocketAddr> = Vec::new();
        for (name, service) in all.services() {
            let known = &part.services()[name];
            let capture = captures_service(&all, service);
            prop_assert_eq!(
                capture_of(&capture, service.fail_closed),
                capture_of(&captures_service(&part, known), known.fail_closed)
            );
            if capture != Capture::No {
                captured.extend(service.vips.iter().map(|vip| SocketAddr::new(*vip, 80)));
                captured.extend(inside(&all, service).map(|one| SocketAddr::new(one, 80)));
            }
        }
        prop_assert_eq!(ranges(&all), ranges(&part));
        for (name, workload) in all.workloads() {
            let capture = captures_workload(&all, workload);
            let known = part.workloads().get(name);
            let capture_here = known.map_or(Capture::No, |one| captures_workload(&part, one));
            prop_assert_eq!(&capture, &capture_here, "{}", name);
            if capture != Capture::No {
                captured.extend(workload.addresses.iter().map(|one| SocketAddr::new(*one, 80)));
            }
        }
        for (name, pod) in all.workloads().iter().filter(|(_, pod)| pod.node == "a") {
            prop_assert_eq!(part.workloads().get(name), Some(pod));
            // Of others no connection comes to an agent.
            let is_captured = pod.enrolment == Enrolment::Enrolled && pod.instance_of.is_none();
            for to in captured.iter().filter(|_| is_captured) {
                prop_assert_eq!(outbound_of(&all, *to, pod), outbound_of(&part, *to, pod));
            }
            let vips = all.services().values().flat_map(|service| &service.vips);
            for to in vips.chain(&pod.addresses).map(|address| SocketAddr::new(*address, 80)) {
                prop_assert_eq!(inbound_of(&all, pod, to), inbound_of(&part, pod, to));
            }
        }
    }

    #[test]
    fn a_waypoint_decides_as_if_it_read_everything(cluster in cluster()) {
        let name = ObjectName::new("x", "w0");
        let (all, part) = (whole(&cluster), scoped(&cluster, &Scope::Waypoint(name.clone())));
        prop_assert_eq!(all.workloads(), part.workloads());
        prop_assert_eq!(all.waypoints(), part.waypoints());
        for (key, service) in all.services() {
            let known = &part.services()[key];
            prop_assert_eq!(&service.binding, &known.binding);
            if service.binding.waypoint() == Some(&name) {
                prop_assert_eq!(service, known);
                prop_assert_eq!(all.routes_of(key), part.routes_of(key));
                for backend in all.routes_of(key).iter().flat_map(|route| backends(route)) {
                    prop_assert_eq!(all.services().get(backend), part.services().get(backend));
                }
            }
        }
    }
}
