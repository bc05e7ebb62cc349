//! Connections to a pod's tunnel port.

use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use waypoint_common::redirect::TUNNEL_PORT;
use waypoint_user::mesh::workload::{Enrolment, Workload};

use crate::{
    agent::{APPLICATION, Agent, HERE},
    mesh::{behind_waypoint, snapshot, workload},
    node::{Node, Pod, addresses, named},
};

#[test]
fn a_tunnel_reaches_the_application_in_its_peers_name() {
    let Some(node) = Node::new() else { return };
    let (server, client, elsewhere) = (node.pod(1), node.pod(2), node.pod(3));
    serve(&server);
    let pods =
        [workload("server", &server, &addresses(1)), workload("web", &client, &addresses(2))];
    let agent = Agent::start(&node, snapshot(pods));
    for (target, [own, other]) in addresses(1).into_iter().zip(pairs()) {
        assert_eq!(ask(&client, target).unwrap(), hello(own), "{target}: a pod of this node");
        let before = agent.packets("as_pod");
        assert_eq!(ask(&elsewhere, target).unwrap(), hello(other), "{target}: from elsewhere");
        assert!(agent.packets("as_pod") > before, "{target}");
    }
    assert_eq!(agent.packets("inbound"), 4);
    assert!(agent.packets("inbound_established") > 0);
    assert_eq!(agent.packets("to_unknown"), 0);
    assert_eq!(agent.packets("no_listener"), 0);
}

#[test]
fn a_pod_behind_a_bridge_takes_tunnels_from_its_neighbours_and_from_elsewhere() {
    let Some(node) = Node::new() else { return };
    let (server, neighbour, stranger) =
        (node.bridged_pod(4), node.bridged_pod(5), node.bridged_pod(6));
    let elsewhere = node.pod(7);
    serve(&server);
    let [own, beside, strange] = [4, 5, 6].map(|number| IpAddr::from([10, 78, 0, number]));
    let pods = [workload("server", &server, &[own]), workload("web", &neighbour, &[beside])];
    let _agent = Agent::start(&node, snapshot(pods));
    for (client, address) in
        [(&neighbour, beside), (&stranger, strange), (&elsewhere, addresses(7)[0])]
    {
        assert_eq!(ask(client, own).unwrap(), hello(address), "{address}");
    }
}

#[test]
fn a_workloads_own_waypoint_leaves_its_tunnels_alone() {
    let Some(node) = Node::new() else { return };
    let (server, client) = (node.pod(1), node.pod(2));
    serve(&server);
    let bound = behind_waypoint(workload("server", &server, &addresses(1)));
    let agent = Agent::start(&node, snapshot([bound, workload("web", &client, &addresses(2))]));
    for (target, [own, _]) in addresses(1).into_iter().zip(pairs()) {
        assert_eq!(ask(&client, target).unwrap(), hello(own));
        assert_eq!(dial(&client, SocketAddr::new(target, APPLICATION)).unwrap(), "", "captured");
    }
    assert_eq!(agent.packets("captured"), 2);
}

#[test]
fn without_the_process_the_pod_refuses_tunnels_itself() {
    let Some(node) = Node::new() else { return };
    let (server, elsewhere) = (node.pod(1), node.pod(3));
    serve(&server);
    let mut agent = Agent::start(&node, snapshot([workload("server", &server, &addresses(1))]));
    agent.stop();
    for target in addresses(1) {
        let start = Instant::now();
        assert_eq!(ask(&elsewhere, target).unwrap_err().kind(), ErrorKind::ConnectionRefused);
        assert!(start.elapsed() < Duration::from_millis(500), "{:?}", start.elapsed());
        let direct = dial(&elsewhere, SocketAddr::new(target, APPLICATION)).unwrap();
        assert!(direct.starts_with("hello"), "{target}");
    }
}

#[test]
fn only_enrolled_pods_of_this_node_take_tunnels() {
    let Some(node) = Node::new() else { return };
    let (server, elsewhere) = (node.pod(1), node.pod(3));
    serve(&server);
    let enrolled = workload("server", &server, &addresses(1));
    let agent = Agent::start(&node, snapshot([enrolled.clone()]));
    assert!(ask(&elsewhere, addresses(1)[0]).is_ok());
    let plain = Workload { enrolment: Enrolment::NotLabelled, ..enrolled.clone() };
    let of_another = Workload { node: format!("not-{HERE}"), ..enrolled.clone() };
    for other in [plain, of_another] {
        agent.publish(snapshot([other]));
        agent.wait("refusals", |_| {
            addresses(1).into_iter().all(|target| {
                let outcome = ask(&elsewhere, target);
                outcome.is_err_and(|cause| cause.kind() == ErrorKind::ConnectionRefused)
            })
        });
        agent.publish(snapshot([enrolled.clone()]));
        agent.wait("tunnels", |_| ask(&elsewhere, addresses(1)[1]).is_ok());
    }
}

/// Serves an application in a pod: it says to whom it talks, and then a lot.
pub(crate) fn serve(pod: &Pod) {
    let listener = named(&pod.name).run(|| TcpListener::bind(("::", APPLICATION))).unwrap();
    let listener = listener.unwrap();
    thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let peer = client.peer_addr().map(|peer| peer.ip().to_canonical());
            let Ok(peer) = peer else { continue };
            let _ = client.write_all(hello(peer).as_bytes());
        }
    });
}

fn hello(peer: IpAddr) -> String {
    format!("hello {peer} {}", "x".repeat(MUCH))
}

/// Dials a tunnel, and listens until it ends.
pub(crate) fn ask(from: &Pod, address: IpAddr) -> io::Result<String> {
    dial(from, SocketAddr::new(address, TUNNEL_PORT))
}

fn dial(from: &Pod, target: SocketAddr) -> io::Result<String> {
    let dial = || {
        let mut stream = TcpStream::connect_timeout(&target, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut said = String::new();
        stream.read_to_string(&mut said).map(|_| said)
    };
    from.run(async || dial())
}

/// Of each family, the addresses of the second and of the third pod.
fn pairs() -> impl Iterator<Item = [IpAddr; 2]> {
    addresses(2).into_iter().zip(addresses(3)).map(|(own, other)| [own, other])
}

const PATIENCE: Duration = Duration::from_secs(5);
/// More than any buffer on the way holds.
const MUCH: usize = 2_000_000;
