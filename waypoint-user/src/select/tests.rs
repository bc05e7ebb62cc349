use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use super::*;
use crate::mesh::{
    binding::{Binding, FailMode, Refusal, RefusalReason},
    label::{
        DATAPLANE_MODE, Labels, MANAGED, Requirement, Selector, USE_WAYPOINT,
        USE_WAYPOINT_NAMESPACE,
    },
    object::ObjectName,
    service::Service,
    snapshot::{Contents, Snapshot},
    waypoint::{AllowedNamespaces, TrafficType, Waypoint},
    workload::{Enrolment, Workload},
};

mod accounts;
mod canary;
mod inbound;
mod outbound;
mod properties;
mod table;

/// Labels from pairs.
fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// A mesh that is put together name by name and then resolved, as `sync` does it.
#[derive(Clone, Debug, Default)]
struct Draft {
    namespaces: BTreeMap<String, Labels>,
    waypoints: BTreeMap<ObjectName, Arc<Waypoint>>,
    services: Vec<(ObjectName, Labels, Vec<&'static str>)>,
    pods: Vec<(ObjectName, Labels, &'static str)>,
}

impl Draft {
    fn namespace(mut self, name: &str, pairs: &[(&str, &str)]) -> Self {
        self.namespaces.insert(name.to_owned(), labels(pairs));
        self
    }

    fn waypoint(mut self, namespace: &str, name: &str, takes: TrafficType) -> Self {
        let name = ObjectName::new(namespace, name);
        let waypoint = Waypoint { takes, ..Waypoint::new(name.clone()) };
        self.waypoints.insert(name, Arc::new(waypoint));
        self
    }

    fn change(mut self, name: &str, change: impl FnOnce(&mut Waypoint)) -> Self {
        let waypoint = self.waypoints.values_mut().find(|waypoint| waypoint.name.name == name);
        change(Arc::make_mut(waypoint.unwrap()));
        self
    }

    fn service(mut self, name: (&str, &str), vip: &'static str, pairs: &[(&str, &str)]) -> Self {
        let vips = if vip.is_empty() { vec![] } else { vec![vip] };
        self.services.push((ObjectName::new(name.0, name.1), labels(pairs), vips));
        self
    }

    fn pod(mut self, name: (&str, &str), ip: &'static str, pairs: &[(&str, &str)]) -> Self {
        self.pods.push((ObjectName::new(name.0, name.1), labels(pairs), ip));
        self
    }

    fn mesh<'a>(&'a self, accounts: &'a Accounts) -> Mesh<'a> {
        Mesh { waypoints: &self.waypoints, namespaces: &self.namespaces, accounts }
    }

    fn build(self) -> Snapshot {
        let accounts = Accounts::default();
        let mesh = self.mesh(&accounts);
        let services = self.services.iter().map(|(name, labels, vips)| {
            let binding = mesh.for_service(&name.namespace, labels);
            (name.clone(), Arc::new(service(name, labels, vips, binding)))
        });
        let none = Labels::new();
        let workloads = self.pods.iter().map(|(name, labels, ip)| {
            let home = &name.namespace;
            let instance_of =
                instance_of(home, labels, |gateway| self.waypoints.contains_key(gateway));
            let pod = Pod {
                namespace: home,
                namespace_labels: self.namespaces.get(home).unwrap_or(&none),
                labels,
                host_network: false,
                sidecar: false,
                waypoint: instance_of.is_some(),
            };
            let enrolment = enrolment(&pod, &["kube-system".to_owned()]);
            let binding = mesh.for_workload(home, labels, instance_of.is_some());
            let workload = Workload { enrolment, instance_of, binding, ..workload(name, ip) };
            (name.clone(), Arc::new(workload))
        });
        Snapshot::new(Contents {
            services: services.collect(),
            workloads: workloads.collect(),
            waypoints: self.waypoints.clone(),
            ..Contents::default()
        })
    }
}

fn service(name: &ObjectName, labels: &Labels, vips: &[&str], binding: Binding) -> Service {
    Service {
        labels: labels.clone(),
        vips: vips.iter().map(|vip| vip.parse().unwrap()).collect(),
        binding,
        ..Service::new(name.clone())
    }
}

fn workload(name: &ObjectName, ip: &str) -> Workload {
    Workload { addresses: vec![ip.parse().unwrap()], ..Workload::new(name.clone()) }
}

/// The waypoint that takes a connection, as `namespace/name`.
fn waypoint_of(snapshot: &Snapshot, destination: &str, client: Option<&Workload>) -> String {
    let destination: SocketAddr = destination.parse().unwrap();
    match choose(snapshot, destination, client) {
        Choice::Waypoint { waypoint, .. } => waypoint.to_string(),
        Choice::Direct(_) => "direct".to_owned(),
        Choice::Refuse(_) => "refused".to_owned(),
    }
}

#[test]
fn a_pods_label_beats_its_namespaces_in_both_directions() {
    let plain = Labels::new();
    let ambient = labels(&[(DATAPLANE_MODE, "ambient")]);
    let none = labels(&[(DATAPLANE_MODE, "none")]);
    let other = labels(&[(DATAPLANE_MODE, "sidecar")]);
    for (namespace, pod, expected) in [
        (&plain, &plain, Enrolment::NotLabelled),
        (&plain, &ambient, Enrolment::Enrolled),
        (&ambient, &plain, Enrolment::Enrolled),
        (&ambient, &none, Enrolment::OptedOut),
        (&none, &ambient, Enrolment::Enrolled),
        (&none, &plain, Enrolment::NotLabelled),
        (&ambient, &other, Enrolment::Enrolled),
        (&other, &plain, Enrolment::NotLabelled),
    ] {
        let pod = Pod {
            namespace: "a",
            namespace_labels: namespace,
            labels: pod,
            host_network: false,
            sidecar: false,
            waypoint: false,
        };
        assert_eq!(enrolment(&pod, &[]), expected, "{pod:?}");
    }
}

#[test]
fn what_cannot_be_captured_is_not_enrolled_whatever_its_labels_say() {
    let ambient = labels(&[(DATAPLANE_MODE, "ambient")]);
    let pod = Pod {
        namespace: "a",
        namespace_labels: &ambient,
        labels: &ambient,
        host_network: false,
        sidecar: false,
        waypoint: false,
    };
    let excluded = ["a".to_owned()];
    assert_eq!(enrolment(&pod, &[]), Enrolment::Enrolled);
    assert_eq!(enrolment(&pod, &excluded), Enrolment::ExcludedNamespace);
    let host = Pod { host_network: true, ..pod };
    assert_eq!(enrolment(&host, &[]), Enrolment::HostNetwork);
    assert_eq!(enrolment(&Pod { sidecar: true, ..pod }, &[]), Enrolment::Sidecar);
    assert_eq!(enrolment(&Pod { waypoint: true, ..pod }, &[]), Enrolment::Waypoint);
}

#[test]
fn services_made_for_waypoints_and_gateways_have_no_waypoint() {
    for made_by in ["istio.io-mesh-controller", "istio.io-eastwest-controller"] {
        let snapshot = Draft::default()
            .namespace("a", &[(USE_WAYPOINT, "w")])
            .waypoint("a", "w", TrafficType::All)
            .service(("a", "w"), "10.0.0.9", &[(MANAGED, made_by)])
            .build();
        assert_eq!(waypoint_of(&snapshot, "10.0.0.9:15008", None), "direct");
    }
}

#[test]
fn the_namespace_of_the_waypoint_counts_only_beside_its_name() {
    let snapshot = Draft::default()
        .namespace("b", &[(USE_WAYPOINT, "w")])
        .waypoint("a", "w", TrafficType::Service)
        .change("w", |waypoint| waypoint.allowed = AllowedNamespaces::All)
        .waypoint("b", "w", TrafficType::Service)
        .service(("b", "s"), "10.0.0.1", &[(USE_WAYPOINT_NAMESPACE, "a")])
        .build();
    assert_eq!(waypoint_of(&snapshot, "10.0.0.1:80", None), "b/w");
}

#[test]
fn the_nearest_fail_mode_that_is_set_counts() {
    use FailMode::{Closed, Open, Unset};
    for (service, namespace, gateway, expected) in [
        (Unset, Unset, Unset, Unset),
        (Unset, Unset, Closed, Closed),
        (Unset, Open, Closed, Open),
        (Closed, Open, Open, Closed),
    ] {
        let modes = FailModes { service, namespace, gateway };
        assert_eq!(modes.effective(), expected, "{modes:?}");
    }
    assert_eq!(parse_fail_mode("closed"), Some(Closed));
    assert_eq!(parse_fail_mode("open"), Some(Open));
    assert_eq!(parse_fail_mode("Closed"), None);
}

#[test]
fn without_a_fail_mode_only_a_bound_destination_with_a_policy_is_closed() {
    let bound = Binding::Bound(ObjectName::new("a", "w"));
    let refused = Binding::Refused(Refusal {
        waypoint: ObjectName::new("a", "w"),
        reason: RefusalReason::WaypointIsNotReady,
    });
    let mode = |gateway| FailModes { gateway, ..FailModes::default() };
    for (modes, binding, policy, expected) in [
        (FailMode::Unset, &bound, true, true),
        (FailMode::Unset, &bound, false, false),
        (FailMode::Unset, &refused, true, false),
        (FailMode::Open, &bound, true, false),
        (FailMode::Closed, &bound, false, true),
        (FailMode::Closed, &refused, false, true),
        (FailMode::Closed, &Binding::Direct, true, false),
    ] {
        assert_eq!(mode(modes).closed(binding, policy), expected, "{modes:?} {binding:?}");
    }
}

#[test]
fn a_refused_waypoint_refuses_traffic_only_where_the_mode_is_closed() {
    let draft = Draft::default().service(("a", "s"), "10.0.0.1", &[(USE_WAYPOINT, "gone")]);
    let snapshot = draft.build();
    assert_eq!(waypoint_of(&snapshot, "10.0.0.1:80", None), "direct");
    let known = snapshot.services().values().next().unwrap();
    let closed = Arc::new(Service { fail_mode: FailMode::Closed, ..Service::clone(known) });
    assert!(matches!(for_service(&closed), Choice::Refuse(_)));
}
