//! Who may connect to a pod, and who is counted.

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use waypoint_user::{
    kernel::Settings,
    mesh::workload::{Admission, AdmissionMode, Workload},
};

use crate::{
    agent::{APPLICATION, Agent},
    mesh::{snapshot, workload},
    node::{Node, Pod, addresses, named},
    tunnels::{ask, serve},
};

#[test]
fn a_strict_pod_resets_whoever_is_not_its_waypoint_within_five_milliseconds() {
    let Some(node) = Node::new() else { return };
    let (server, waypoint, stranger) = (node.pod(1), node.pod(2), node.pod(3));
    serve(&server);
    let agent = Agent::start(&node, snapshot([guarded(&server, AdmissionMode::Strict)]));
    for target in addresses(1) {
        assert!(connect(&waypoint, target, APPLICATION).is_ok(), "{target}: its waypoint");
        let fastest = (0..5).map(|_| refusal(&stranger, target)).min().unwrap();
        assert!(fastest < Duration::from_millis(5), "{target}: refused after {fastest:?}");
        let refused = connect(&stranger, target, EXEMPT).unwrap_err().kind();
        assert_eq!(refused, ErrorKind::ConnectionRefused, "{target}: nobody listens there");
        assert!(ask(&stranger, target).is_ok(), "{target}: tunnels are judged by the agent");
    }
    assert_eq!(agent.packets("not_admitted"), 10, "the exempt port is not among them");
    agent.wait("count", |agent| agent.metric(&bypass("unknown", "refused")) == 10);
}

#[test]
fn a_counting_pod_lets_everybody_in_and_tells_who_passed_its_waypoints_by() {
    let Some(node) = Node::new() else { return };
    let (server, waypoint, stranger) = (node.pod(1), node.pod(2), node.pod(3));
    serve(&server);
    let known = workload("stranger", &stranger, &addresses(3));
    let pods = [guarded(&server, AdmissionMode::Count), known];
    let agent = Agent::start(&node, snapshot(pods));
    for target in addresses(1) {
        for client in [&waypoint, &stranger] {
            assert!(connect(client, target, APPLICATION).is_ok(), "{target}");
        }
    }
    agent.wait("count", |agent| agent.metric(&bypass("stranger", "counted")) == 2);
    assert_eq!(agent.packets("bypassing"), 2);
}

#[test]
fn where_mutual_tls_is_asked_for_a_waypoints_plaintext_is_refused_too() {
    let Some(node) = Node::new() else { return };
    let (server, waypoint) = (node.pod(1), node.pod(2));
    serve(&server);
    let mut asking = guarded(&server, AdmissionMode::Off);
    asking.admission.mutual_tls = true;
    let agent = Agent::start(&node, snapshot([asking]));
    for target in addresses(1) {
        let refused = connect(&waypoint, target, APPLICATION).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        assert!(ask(&waypoint, target).is_ok(), "{target}: a tunnel");
    }
    assert_eq!(agent.packets("plaintext"), 2);
}

#[test]
fn without_a_control_group_the_nodes_own_processes_probe_strict_pods() {
    let Some(node) = Node::new() else { return };
    let server = node.pod(1);
    serve(&server);
    node.ip("addr add 10.77.9.9/32 dev lo");
    let agent = Agent::start(&node, snapshot([guarded(&server, AdmissionMode::Strict)]));
    let [target, _] = addresses(1);
    let outcome = node.run(async || dial(target, APPLICATION));
    assert!(outcome.is_ok(), "{outcome:?}");
    assert!(agent.packets("exempt") > 0);
}

#[test]
fn the_kubelet_is_known_by_its_control_group_and_its_neighbours_are_refused() {
    let Some(node) = Node::new() else { return };
    let Some(cgroup) = Cgroup::new(&node.name) else {
        println!("SKIP: no control groups of version 2");
        return;
    };
    let server = node.pod(1);
    serve(&server);
    node.ip("addr add 10.77.9.9/32 dev lo");
    let settings = |settings| Settings { exempt_cgroups: vec![cgroup.0.clone()], ..settings };
    let pods = snapshot([guarded(&server, AdmissionMode::Strict)]);
    let agent = Agent::start_with(&node, pods, settings);
    assert!(cgroup.dial(&node, addresses(1)[0]), "the kubelet");
    assert!(agent.packets("exempt") > 0);
    let neighbour = node.run(async || dial(addresses(1)[0], APPLICATION));
    assert_eq!(neighbour.unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

/// The pod under test, which takes connections of the second one and of everybody on one port.
fn guarded(pod: &Pod, mode: AdmissionMode) -> Workload {
    let admission = Admission {
        mode,
        sources: addresses(2).to_vec(),
        exempt_ports: vec![EXEMPT],
        mutual_tls: false,
    };
    Workload { admission, ..workload("server", pod, &addresses(1)) }
}

/// How long a refusal takes.
fn refusal(from: &Pod, target: IpAddr) -> Duration {
    from.run(async || {
        let start = Instant::now();
        let refused = dial(target, APPLICATION).unwrap_err().kind();
        assert_eq!(refused, ErrorKind::ConnectionRefused, "{target}");
        start.elapsed()
    })
}

fn connect(from: &Pod, target: IpAddr, port: u16) -> io::Result<()> {
    from.run(async || dial(target, port))
}

fn dial(target: IpAddr, port: u16) -> io::Result<()> {
    TcpStream::connect_timeout(&SocketAddr::new(target, port), PATIENCE).map(drop)
}

/// The series of connections to the pod under test.
fn bypass(source: &str, outcome: &str) -> String {
    let namespace = if source == "unknown" { "unknown" } else { "shop" };
    format!(
        "waypoint_bypass_connections_total{{source_workload=\"{source}\",\
         source_workload_namespace=\"{namespace}\",destination_workload=\"server\",\
         destination_workload_namespace=\"shop\",outcome=\"{outcome}\"}}"
    )
}

/// A control group, and processes in it.
struct Cgroup(PathBuf);

impl Cgroup {
    fn new(name: &str) -> Option<Self> {
        let roots = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"];
        let root = roots.into_iter().find(|root| Path::new(root).join("cgroup.procs").exists())?;
        let path = Path::new(root).join(name);
        std::fs::create_dir(&path).ok()?;
        Some(Self(path))
    }

    /// Whether a process of the group reaches the pod from the node.
    fn dial(&self, node: &Node, target: IpAddr) -> bool {
        let join = format!("echo $$ > {}/cgroup.procs", self.0.display());
        let script = format!("{join} && exec 3<>/dev/tcp/{target}/{APPLICATION}");
        let bash = || Command::new("bash").args(["-c", &script]).status();
        named(&node.name).run(bash).unwrap().unwrap().success()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.0);
    }
}

const EXEMPT: u16 = 9090;
const PATIENCE: Duration = Duration::from_secs(3);
