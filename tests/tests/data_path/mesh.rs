//! Snapshots with one service and one pod.

use std::{collections::BTreeMap, sync::Arc};

use waypoint_user::mesh::{
    binding::Binding,
    object::ObjectName,
    service::{AppProtocol, Service, ServicePort},
    snapshot::{Contents, Snapshot},
    workload::{Enrolment, Workload},
};

use crate::pod::Pod;

/// A Snapshot with services that are bound to a waypoint, and a pod.
pub(crate) fn snapshot(pod: &Pod, enrolment: Enrolment) -> Snapshot {
    let services = [service("open", OPEN, false), service("closed", CLOSED, true)];
    let contents = Contents {
        services: services.into_iter().map(|s| (s.name.clone(), Arc::new(s))).collect(),
        workloads: BTreeMap::from([(name("web"), Arc::new(workload(pod, enrolment)))]),
        ..Contents::default()
    };
    Snapshot::new(contents)
}

fn service(short: &str, vips: [&str; 2], fail_closed: bool) -> Service {
    let protocol = AppProtocol::Detect;
    Service {
        vips: vips.iter().map(|vip| vip.parse().expect("an address")).collect(),
        ports: vec![ServicePort { name: String::new(), number: 80, protocol }],
        binding: Binding::Bound(name("waypoint")),
        fail_closed,
        ..Service::new(name(short))
    }
}

fn workload(pod: &Pod, enrolment: Enrolment) -> Workload {
    Workload {
        addresses: [&pod.v4, &pod.v6].map(|a| a.parse().expect("an address")).to_vec(),
        enrolment,
        netns: Some(pod.netns()),
        ..Workload::new(name("web"))
    }
}

fn name(name: &str) -> ObjectName {
    ObjectName::new("shop", name)
}

/// Virtual addresses of the service that stays reachable without the agent.
pub(crate) const OPEN: [&str; 2] = ["10.212.0.10", "fd77:96::10"];
/// Virtual addresses of the service that does not.
pub(crate) const CLOSED: [&str; 2] = ["10.212.0.20", "fd77:96::20"];
