use super::*;
use crate::mesh::{object::ObjectName, snapshot::Contents};

fn pod(name: &str, node: &str, enrolment: Enrolment) -> Arc<Workload> {
    let name = ObjectName::new("shop", name);
    let identity = Arc::new(SpiffeId::new("cluster.local", "shop", &name.name));
    Arc::new(Workload { node: node.to_owned(), identity, enrolment, ..Workload::new(name) })
}

#[test]
fn only_enrolled_pods_of_the_node_are_spoken_for() {
    let mut contents = Contents::default();
    for pod in [
        pod("web", "a", Enrolment::Enrolled),
        pod("api", "a", Enrolment::Enrolled),
        pod("elsewhere", "b", Enrolment::Enrolled),
        pod("nowhere", "", Enrolment::Enrolled),
        pod("plain", "a", Enrolment::NotLabelled),
        pod("waypoint", "a", Enrolment::Waypoint),
    ] {
        contents.workloads.insert(pod.name.clone(), pod);
    }
    let wanted = of_node(&Snapshot::new(contents), "a");
    let accounts: Vec<&str> = wanted.iter().map(|one| one.service_account.as_str()).collect();
    assert_eq!(accounts, ["api", "web"]);
}
