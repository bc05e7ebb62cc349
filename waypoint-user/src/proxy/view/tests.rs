use std::collections::BTreeMap;

use super::*;
use crate::mesh::{
    binding::{Refusal, RefusalReason},
    object::Version,
    route::{HttpRoute, ServiceParent},
    service::{Distribution, Endpoint as MeshEndpoint, ServicePort},
    snapshot::{Contents, Snapshot},
};
use crate::proxy::Duty;

mod external;
mod weights;

const PORT: u16 = 80;

fn name() -> ObjectName {
    ObjectName::new("default", "shop")
}

fn vip(port: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], port))
}

fn contents(binding: Binding, ready: &[bool]) -> Contents {
    let endpoint = |(number, ready): (usize, &bool)| MeshEndpoint {
        address: IpAddr::from([10, 1, 0, u8::try_from(number).unwrap()]),
        workload: None,
        ports: vec![(PORT, 8080)],
        ready: *ready,
        weight: 1,
    };
    let service = Service {
        vips: vec![vip(PORT).ip()],
        ports: vec![ServicePort { name: String::new(), number: PORT, protocol: AppProtocol::Http }],
        endpoints: ready.iter().enumerate().map(endpoint).collect(),
        binding,
        ..Service::new(name())
    };
    let route = HttpRoute {
        kind: crate::mesh::route::RouteKind::Http,
        name: ObjectName::new("default", "all"),
        version: Version::default(),
        created: None,
        parents: vec![ServiceParent::new(name(), None)],
        hostnames: Vec::new(),
        rules: Vec::new(),
    };
    Contents {
        services: BTreeMap::from([(name(), Arc::new(service))]),
        routes: BTreeMap::from([(route.name.clone(), Arc::new(route))]),
        ..Contents::default()
    }
}

fn view(contents: &Contents, loads: &Rc<Loads>, before: Option<&View>) -> View {
    let snapshot = Arc::new(Snapshot::new(contents.clone()));
    View::new(Arc::new(Tables::compile(snapshot, &Duty::Everything, None)), loads, before)
}

fn bound() -> Binding {
    Binding::Bound(ObjectName::new("default", "waypoint"))
}

#[test]
fn only_declared_ports_of_services_are_targets() {
    let view = view(&contents(bound(), &[true]), &Rc::default(), None);
    let target = view.target(vip(PORT)).unwrap();
    assert_eq!(&*target.waypoint, "default/waypoint");
    assert!(Rc::ptr_eq(&target, &view.target(vip(PORT)).unwrap()));
    assert!(view.target(vip(81)).is_none());
    assert!(view.target(SocketAddr::from(([10, 0, 0, 2], PORT))).is_none());
}

#[test]
fn what_asks_for_a_waypoint_that_cannot_be_used_is_not_served() {
    let refused = |binding| view(&contents(binding, &[true]), &Rc::default(), None);
    let refusal = Refusal {
        waypoint: ObjectName::new("default", "gone"),
        reason: RefusalReason::WaypointIsNotReady,
    };
    assert!(refused(Binding::Refused(refusal)).target(vip(PORT)).is_none());
    assert!(refused(Binding::Direct).target(vip(PORT)).is_some());
}

#[test]
fn requests_spread_over_ready_endpoints_by_what_is_outstanding() {
    let loads = Rc::default();
    let view = view(&contents(bound(), &[true, false, true]), &loads, None);
    let cluster = view.cluster(&name(), PORT, vip(PORT)).unwrap();
    let chosen = |tried: &[SocketAddr]| cluster.choose(tried, &mut |_| 0).cloned();
    let first = chosen(&[]).unwrap();
    let busy = first.begin();
    let second = chosen(&[]).unwrap();
    assert_ne!(first.address, second.address);
    let addresses = [first.address, second.address];
    assert!(addresses.contains(&SocketAddr::from(([10, 1, 0, 0], 8080))));
    assert!(addresses.contains(&SocketAddr::from(([10, 1, 0, 2], 8080))));
    assert_eq!(chosen(&[second.address]).unwrap().address, first.address);
    assert!(chosen(&addresses).is_none());
    drop(busy);
}

#[test]
fn clients_reach_endpoints_of_the_family_they_dialled_where_there_are_any() {
    let mut contents = contents(bound(), &[true]);
    let service = contents.services.values_mut().next().unwrap();
    let mut second = service.endpoints[0].clone();
    second.address = "fd00::1".parse().unwrap();
    Arc::make_mut(service).endpoints.push(second);
    let choose = |contents: &Contents, dialled: &str| {
        let view = view(contents, &Rc::default(), None);
        let cluster = view.cluster(&name(), PORT, dialled.parse().unwrap()).unwrap();
        cluster.choose(&[], &mut |bound| bound - 1).unwrap().address.is_ipv6()
    };
    assert!(choose(&contents, "[fd00:1::1]:80"));
    assert!(!choose(&contents, "10.0.0.1:80"));
    assert!(!choose(&contents, "[::ffff:10.0.0.1]:80"));
    let service = contents.services.values_mut().next().unwrap();
    Arc::make_mut(service).endpoints.remove(1);
    assert!(!choose(&contents, "[fd00:1::1]:80"));
}

#[test]
fn what_is_outstanding_outlives_a_view() {
    let loads = Rc::default();
    let contents = contents(bound(), &[true]);
    let first = view(&contents, &loads, None);
    let endpoint =
        first.cluster(&name(), PORT, vip(PORT)).unwrap().choose(&[], &mut |_| 0).cloned().unwrap();
    let busy = endpoint.begin();
    let second = view(&contents, &loads, Some(&first));
    let cluster = second.cluster(&name(), PORT, vip(PORT)).unwrap();
    let again = cluster.choose(&[], &mut |_| 0).unwrap();
    assert_eq!(again.outstanding(), 1);
    drop(busy);
    assert_eq!(again.outstanding(), 0);
}

#[test]
fn endpoints_are_taken_by_where_this_process_runs() {
    let mut contents = contents(bound(), &[true, true]);
    for (pod, node) in [("p0", "n0"), ("p1", "n1"), ("own", "n1")] {
        let name = ObjectName::new("default", pod);
        let workload = Workload { node: node.to_owned(), ..Workload::new(name.clone()) };
        contents.workloads.insert(name, Arc::new(workload));
    }
    let service = Arc::make_mut(contents.services.get_mut(&name()).unwrap());
    for (index, endpoint) in service.endpoints.iter_mut().enumerate() {
        endpoint.workload = Some(ObjectName::new("default", format!("p{index}")));
    }
    service.distribution = Distribution::OnlyNode;
    let taken = |home: Home| {
        let view = view(&contents, &Rc::default(), None).at(home);
        // What follows it is at the same place.
        let view = view_after(&contents, &view);
        let cluster = view.cluster(&name(), PORT, vip(PORT)).unwrap();
        let seen = |dice: u32| cluster.choose(&[], &mut |sides| dice.min(sides - 1)).cloned();
        let mut taken: Vec<_> =
            [0, 1].into_iter().filter_map(seen).map(|one| one.address.ip()).collect();
        taken.sort();
        taken.dedup();
        taken
    };
    let [first, second] = [0, 1].map(|number| IpAddr::from([10, 1, 0, number]));
    assert_eq!(taken(Home::Unknown), [first, second]);
    assert_eq!(taken(Home::Node("n0".to_owned())), [first]);
    assert_eq!(taken(Home::Pod(ObjectName::new("default", "own"))), [second]);
    assert_eq!(taken(Home::Node("n2".to_owned())), [] as [IpAddr; 0]);
}

fn view_after(contents: &Contents, before: &View) -> View {
    view(contents, &Rc::default(), Some(before))
}
