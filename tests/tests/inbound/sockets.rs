//! Sockets in the namespaces of pods.

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr, TcpListener},
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr as UnixAddress, UnixListener},
    },
    time::Duration,
};

use socket2::{SockAddr, Socket};
use waypoint_user::{
    kernel::{Sockets, netns::Netns},
    mesh::workload::{NetnsRef, Workload},
};

use crate::{
    agent::Agent,
    mesh::{name, snapshot, workload},
    node::{Node, Pod, addresses, named},
};

#[test]
fn a_socket_in_a_pod_connects_as_the_pod_and_its_thread_is_back_home() {
    let Some(node) = Node::new() else { return };
    let (pod, elsewhere) = (node.pod(1), node.pod(3));
    let agent = Agent::start(&node, snapshot([workload("web", &pod, &addresses(1))]));
    let listener = named(&elsewhere.name).run(|| TcpListener::bind(("::", 80))).unwrap().unwrap();
    for (own, target) in addresses(1).into_iter().zip(addresses(3)) {
        node.run(async || {
            let socket = agent.sockets.in_pod(&name("web"), target.is_ipv4()).unwrap();
            connect(&socket, SocketAddr::new(target, 80)).unwrap();
            assert_eq!(Netns::current().unwrap().inode(), named(&node.name).inode());
        });
        let (_, peer) = listener.accept().unwrap();
        assert_eq!(peer.ip().to_canonical(), own);
    }
}

#[test]
fn a_pod_that_was_made_again_is_entered_anew_and_one_that_went_is_let_go() {
    let Some(node) = Node::new() else { return };
    let pod = node.pod(1);
    let web = |pod: &Pod| snapshot([workload("web", pod, &addresses(1))]);
    let agent = Agent::start(&node, web(&pod));
    let inside = |sockets: &Sockets| {
        let socket = sockets.in_pod(&name("web"), true).ok()?;
        let address = SocketAddr::new(addresses(1)[0], 0);
        socket.bind(&address.into()).ok()
    };
    assert!(inside(&agent.sockets).is_some());
    drop(pod);
    agent.wait("end of the namespace", |agent| inside(&agent.sockets).is_none());
    // The veth goes with the namespace, so nobody holds it.
    agent.wait("end of the veth", |_| !node.ip("-br link").contains("veth1"));
    let again = node.pod(1);
    agent.publish(web(&again));
    agent.wait("the new namespace", |agent| inside(&agent.sockets).is_some());
    agent.publish(snapshot([]));
    agent.wait("oblivion", |agent| {
        let outcome = agent.sockets.in_pod(&name("web"), true);
        outcome.is_err_and(|cause| cause.kind() == ErrorKind::NotFound)
    });
}

#[test]
fn an_abstract_name_is_looked_for_in_the_given_namespace() {
    let Some(node) = Node::new() else { return };
    let (waypoint, other) = (node.pod(1), node.pod(2));
    let agent = Agent::start(&node, snapshot([]));
    let address = UnixAddress::from_abstract_name(NAME).unwrap();
    let listener = named(&waypoint.name).run(|| UnixListener::bind_addr(&address)).unwrap();
    let listener = listener.unwrap();
    let connect = |netns: NetnsRef| {
        let abstract_name = [&[0], NAME].concat();
        let path = std::ffi::OsStr::new(std::str::from_utf8(&abstract_name).unwrap()).to_owned();
        let pod = Workload { netns: Some(netns), ..Workload::new(name("waypoint")) };
        agent.sockets.unix_in(&pod)?.connect(&SockAddr::unix(path)?)
    };
    connect(waypoint.netns()).unwrap();
    listener.accept().unwrap();
    assert_eq!(connect(other.netns()).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

fn connect(socket: &Socket, to: SocketAddr) -> io::Result<()> {
    socket.set_nonblocking(false)?;
    let family: IpAddr = to.ip();
    assert_eq!(socket.domain()? == socket2::Domain::IPV4, family.is_ipv4());
    socket.connect_timeout(&to.into(), Duration::from_secs(5))
}

const NAME: &[u8] = b"waypoint/test";
