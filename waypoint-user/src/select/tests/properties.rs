//! What holds for every mesh.

use proptest::prelude::*;

use super::*;
use crate::mesh::label::GATEWAY_NAME;

const NAMESPACES: [&str; 2] = ["a", "b"];
const NAMES: [&str; 4] = ["w0", "w1", "none", "missing"];
const VIPS: [&str; 4] = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "fd00::1"];
const IPS: [&str; 6] = ["10.1.0.1", "10.1.0.2", "10.1.0.3", "10.1.0.4", "fd01::1", "fd01::2"];

fn takes() -> impl Strategy<Value = TrafficType> {
    use TrafficType::{All, None, Service, Workload};
    prop::sample::select(vec![Service, Workload, All, None])
}

fn allowed() -> impl Strategy<Value = AllowedNamespaces> {
    prop::sample::select(vec![AllowedNamespaces::Same, AllowedNamespaces::All])
}

/// Any combination of the labels that bear on selection.
fn any_labels() -> impl Strategy<Value = Labels> {
    let waypoint = prop::option::of(prop::sample::select(NAMES.to_vec()));
    let home = prop::option::of(prop::sample::select(NAMESPACES.to_vec()));
    let mode = prop::option::of(prop::sample::select(vec!["ambient", "none", "x"]));
    (waypoint, home, mode).prop_map(|(waypoint, home, mode)| {
        [(USE_WAYPOINT, waypoint), (USE_WAYPOINT_NAMESPACE, home), (DATAPLANE_MODE, mode)]
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value?.to_owned())))
            .collect()
    })
}

fn any_pod() -> impl Strategy<Value = (Labels, Option<&'static str>)> {
    (any_labels(), prop::option::weighted(0.3, prop::sample::select(vec!["w0", "w1", "other"])))
}

prop_compose! {
    fn any_mesh()(
        namespaces in prop::collection::vec(any_labels(), NAMESPACES.len()),
        waypoints in prop::collection::vec((takes(), allowed(), any::<bool>()), 4),
        services in prop::collection::vec(any_labels(), VIPS.len()),
        pods in prop::collection::vec(any_pod(), IPS.len()),
    ) -> Snapshot {
        let mut draft = Draft::default();
        for (name, labels) in NAMESPACES.iter().zip(namespaces) {
            draft.namespaces.insert((*name).to_owned(), labels);
        }
        for (index, (takes, allowed, ready)) in waypoints.into_iter().enumerate() {
            let name = ObjectName::new(NAMESPACES[index % 2], NAMES[index / 2]);
            let one = Draft::default().waypoint(&name.namespace, &name.name, takes);
            let one = one.change(&name.name, |waypoint| {
                waypoint.allowed = allowed;
                waypoint.ready = ready;
            });
            draft.waypoints.extend(one.waypoints);
        }
        for (index, labels) in services.into_iter().enumerate() {
            let name = ObjectName::new(NAMESPACES[index % 2], format!("s{index}"));
            draft.services.push((name, labels, vec![VIPS[index]]));
        }
        for (index, (mut labels, gateway)) in pods.into_iter().enumerate() {
            labels.extend(gateway.map(|name| (GATEWAY_NAME.to_owned(), name.to_owned())));
            let name = ObjectName::new(NAMESPACES[index % 2], format!("p{index}"));
            draft.pods.push((name, labels, IPS[index]));
        }
        draft.build()
    }
}

fn destinations() -> impl Iterator<Item = SocketAddr> {
    VIPS.iter().chain(&IPS).map(|ip| SocketAddr::new(ip.parse().unwrap(), 80))
}

proptest! {
    #[test]
    fn what_a_waypoint_dials_goes_to_no_waypoint(snapshot in any_mesh()) {
        let instances = snapshot.workloads().values().filter(|pod| pod.instance_of.is_some());
        for instance in instances {
            prop_assert_ne!(instance.enrolment, Enrolment::Enrolled);
            prop_assert_eq!(&instance.binding, &Binding::Direct);
            for destination in destinations() {
                let choice = choose(&snapshot, destination, Some(instance));
                prop_assert!(matches!(choice, Choice::Direct(_)), "{:?}", choice);
            }
        }
    }

    #[test]
    fn a_waypoint_that_is_chosen_exists_is_ready_and_takes_the_traffic(snapshot in any_mesh()) {
        for destination in destinations() {
            let Choice::Waypoint { waypoint, target } = choose(&snapshot, destination, None) else {
                continue;
            };
            let waypoint = snapshot.waypoints().get(waypoint).unwrap();
            prop_assert!(waypoint.ready);
            match target {
                Target::Service(service) => {
                    prop_assert!(service.vips.contains(&destination.ip()));
                    prop_assert!(waypoint.takes.takes_services());
                }
                Target::Workload(workload) => {
                    prop_assert!(workload.addresses.contains(&destination.ip()));
                    prop_assert!(waypoint.takes.takes_workloads());
                }
            }
        }
    }

    #[test]
    fn only_enrolled_clients_meet_a_waypoint(snapshot in any_mesh()) {
        for client in snapshot.workloads().values() {
            for destination in destinations() {
                let asked = choose(&snapshot, destination, None);
                let got = choose(&snapshot, destination, Some(client));
                if client.enrolment == Enrolment::Enrolled {
                    prop_assert_eq!(got, asked);
                } else {
                    prop_assert!(matches!(got, Choice::Direct(_)));
                }
            }
        }
    }
}
