use super::*;
use crate::mesh::{object::ObjectName, snapshot::Contents as Mesh, workload::Workload};

fn identity(account: &str) -> SpiffeId {
    SpiffeId::new("cluster.local", "shop", account)
}

fn pod(name: &str, node: &str, account: &str) -> Arc<Workload> {
    let identity = Arc::new(identity(account));
    let name = ObjectName { namespace: "shop".to_owned(), name: name.to_owned() };
    Arc::new(Workload { node: node.to_owned(), identity, ..Workload::new(name) })
}

fn snapshot(pods: &[Arc<Workload>]) -> Arc<Snapshot> {
    let workloads = pods.iter().map(|pod| (pod.name.clone(), Arc::clone(pod))).collect();
    Arc::new(Snapshot::new(Mesh { workloads, ..Mesh::default() }))
}

#[test]
fn a_node_speaks_for_the_workloads_that_run_on_it_now() {
    let pods = [pod("web-1", "one", "web"), pod("db-1", "two", "db")];
    let (sender, receiver) = watch::channel(snapshot(&pods));
    let access = ByPlacement::new(receiver);
    let one = Caller::Node("one".to_owned());
    assert!(access.authorise(&one, &identity("web")).is_ok());
    assert!(access.authorise(&one, &identity("db")).is_err());
    assert!(access.authorise(&one, &SpiffeId::new("other", "shop", "web")).is_err());
    sender.send_replace(snapshot(&[pod("web-1", "two", "web")]));
    assert!(access.authorise(&one, &identity("web")).is_err());
}

#[test]
fn a_node_without_a_name_speaks_for_nobody() {
    let access = ByPlacement::new(watch::channel(snapshot(&[pod("web-1", "one", "web")])).1);
    assert!(access.authorise(&Caller::Node(String::new()), &identity("web")).is_err());
}

#[test]
fn a_workload_speaks_for_itself_only() {
    let access = ByPlacement::new(watch::channel(snapshot(&[pod("db-1", "one", "db")])).1);
    let web = Caller::Workload(identity("web"));
    assert!(access.authorise(&web, &identity("web")).is_ok());
    assert!(access.authorise(&web, &identity("db")).is_err());
}
