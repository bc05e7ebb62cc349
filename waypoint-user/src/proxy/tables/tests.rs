use super::*;
use crate::mesh::{
    binding::Binding,
    object::Version,
    route::{HttpRule, RouteKind, ServiceParent},
    service::{AppProtocol, ServicePort},
    snapshot::Contents,
};

fn name(name: &str) -> ObjectName {
    ObjectName::new("default", name)
}

fn route(of: &str) -> HttpRoute {
    HttpRoute {
        kind: RouteKind::Http,
        name: name(of),
        version: Version::default(),
        created: None,
        parents: vec![ServiceParent::new(name(of), None)],
        hostnames: Vec::new(),
        rules: vec![],
    }
}

/// Services with a route each, behind the waypoint of their name.
fn contents(services: &[&str]) -> Contents {
    let mut contents = Contents::default();
    for service in services {
        let port = ServicePort { name: String::new(), number: 80, protocol: AppProtocol::Http };
        let one = Service {
            ports: vec![port],
            binding: Binding::Bound(name(service)),
            ..Service::new(name(service))
        };
        contents.services.insert(name(service), Arc::new(one));
        contents.routes.insert(name(service), Arc::new(route(service)));
    }
    contents
}

fn compile(contents: &Contents, duty: &Duty, before: Option<&Tables>) -> Tables {
    // Objects are made anew by every translation.
    let again = |(name, route): (&ObjectName, &Arc<HttpRoute>)| {
        (name.clone(), Arc::new(HttpRoute::clone(route)))
    };
    let routes = contents.routes.iter().map(again).collect();
    let snapshot = Snapshot::new(Contents { routes, ..contents.clone() });
    Tables::compile(Arc::new(snapshot), duty, before)
}

#[test]
fn a_change_of_one_route_compiles_its_service_only() {
    let mut contents = contents(&["a", "b"]);
    let first = compile(&contents, &Duty::Everything, None);
    let route = contents.routes.get_mut(&name("a")).unwrap();
    Arc::make_mut(route).rules.push(HttpRule::default());
    let second = compile(&contents, &Duty::Everything, Some(&first));
    let same = |service: &str| {
        let [one, other] = [&first, &second].map(|tables| tables.of(&name(service), 80).unwrap());
        Arc::ptr_eq(one, other)
    };
    assert!(same("b"));
    assert!(!same("a"));
}

#[test]
fn a_port_that_came_gets_its_table() {
    let mut contents = contents(&["a"]);
    let first = compile(&contents, &Duty::Everything, None);
    assert!(first.of(&name("a"), 81).is_none());
    let service = Arc::make_mut(contents.services.get_mut(&name("a")).unwrap());
    let port = ServicePort { name: String::new(), number: 81, protocol: AppProtocol::Http };
    service.ports.push(port);
    let second = compile(&contents, &Duty::Everything, Some(&first));
    assert!(second.of(&name("a"), 81).is_some());
}

#[test]
fn a_waypoint_compiles_what_it_serves() {
    let tables = compile(&contents(&["a", "b"]), &Duty::Waypoint(name("a")), None);
    assert!(tables.of(&name("a"), 80).is_some());
    assert!(tables.of(&name("b"), 80).is_none());
}

#[tokio::test]
async fn what_the_mesh_becomes_is_compiled_until_nobody_goes_by_it() {
    let (mesh, snapshots) = watch::channel(Arc::new(Snapshot::new(contents(&["a"]))));
    let mut tables = follow(snapshots, Duty::Everything).unwrap();
    assert!(tables.borrow_and_update().of(&name("a"), 80).is_some());
    mesh.send(Arc::new(Snapshot::new(contents(&["b"])))).unwrap();
    tables.changed().await.unwrap();
    assert!(tables.borrow_and_update().of(&name("b"), 80).is_some());
    drop(tables);
    mesh.closed().await;
}

#[test]
fn tables_come_compiled_to_threads_that_do_nothing_for_it() {
    let (mesh, snapshots) = watch::channel(Arc::new(Snapshot::new(contents(&["a"]))));
    let runtime = runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut tables = follow(snapshots, Duty::Everything).unwrap();
        assert!(!tables.has_changed().unwrap());
        let published = Arc::new(Snapshot::new(contents(&["a", "b"])));
        mesh.send(Arc::clone(&published)).unwrap();
        // The runtime of this thread, as that of a worker, gets no turn until they are there.
        let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while !tables.has_changed().unwrap() {
            assert!(std::time::Instant::now() < until, "nobody compiles them");
            thread::yield_now();
        }
        let compiled = tables.borrow_and_update();
        assert!(Arc::ptr_eq(compiled.snapshot(), &published));
        assert!(compiled.of_services.len() == 2 && compiled.of(&name("b"), 80).is_some());
    });
}
