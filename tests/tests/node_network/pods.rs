//! Pods' interfaces, news of links, and the connections of a namespace.

use std::{
    net::{IpAddr, SocketAddr},
    process::{Child, Command},
    time::Duration,
};

use socket2::{Domain, Socket, Type};
use tokio::{net::TcpStream, time::timeout};
use waypoint_tests::lab::wait;
use waypoint_user::{
    kernel::{
        links,
        pods::{self, Error},
        sockets,
    },
    mesh::workload::NetnsRef,
};

use crate::node::{Node, addresses, named};

#[test]
fn the_hosts_end_of_a_routed_pod_is_found() {
    let Some(node) = Node::new() else { return };
    let (_other, pod) = (node.pod(1), node.pod(2));
    for wanted in [addresses(2).to_vec(), vec![addresses(2)[1]], vec![]] {
        let found = node.run(async || pods::locate(&pod.netns(), &wanted).await.unwrap());
        assert_eq!(found.name, "veth2", "{wanted:?}");
        assert_eq!(found.netns_inode, named(&pod.name).inode());
        assert!(node.ip("-o link show veth2").starts_with(&format!("{}:", found.ifindex)));
    }
}

#[test]
fn the_hosts_end_of_a_bridged_pod_is_found_and_not_the_bridge() {
    let Some(node) = Node::new() else { return };
    let pod = node.bridged_pod(3);
    let address = IpAddr::from([10, 78, 0, 3]);
    let found = node.run(async || pods::locate(&pod.netns(), &[address]).await.unwrap());
    assert_eq!(found.name, "port3");
}

#[test]
fn a_pod_is_found_by_a_process_in_it() {
    let Some(node) = Node::new() else { return };
    let pod = node.pod(4);
    let process =
        Process(named(&pod.name).run(|| Command::new("sleep").arg("60").spawn()).unwrap().unwrap());
    let netns = NetnsRef::Pid(process.0.id());
    let found = node.run(async || pods::locate(&netns, &addresses(4)).await.unwrap());
    assert_eq!(found.name, "veth4");
}

#[test]
fn a_namespace_that_is_missing_or_no_namespace_is_named_in_the_error() {
    let Some(node) = Node::new() else { return };
    for text in ["wpnn-no-such-pod", "/etc/hostname", "pid:4194304"] {
        let netns = NetnsRef::parse(text).unwrap();
        let error = node.run(async || pods::locate(&netns, &[]).await.unwrap_err());
        assert!(matches!(error, Error::Netns { .. }), "{error}");
        assert!(error.to_string().contains(text), "{error}");
    }
}

#[test]
fn the_hosts_own_namespace_is_refused() {
    let Some(node) = Node::new() else { return };
    let netns = NetnsRef::Name(node.name.clone());
    let error = node.run(async || pods::locate(&netns, &[]).await.unwrap_err());
    assert!(matches!(error, Error::Host { .. }), "{error}");
}

#[test]
fn an_address_of_another_pod_is_not_found() {
    let Some(node) = Node::new() else { return };
    let pod = node.pod(5);
    let error = node.run(async || pods::locate(&pod.netns(), &addresses(6)).await.unwrap_err());
    assert!(matches!(error, Error::NoAddress { .. }), "{error}");
}

#[test]
fn a_link_without_an_end_on_this_host_is_refused() {
    let Some(node) = Node::new() else { return };
    let (pod, elsewhere) = (node.pod(7), node.pod(8));
    // The other end is in a third namespace, with a number that the host has, too.
    let host_end = node.ip("-o link show veth7");
    let number = host_end.split(':').next().unwrap();
    let add = format!("link add away type veth peer name back index {number} netns");
    pod.ip(&format!("{add} {}", elsewhere.name));
    pod.ip("link set away up");
    pod.ip("addr add 10.79.0.1/24 dev away");
    pod.ip("link add here type bridge");
    pod.ip("addr add 10.80.0.1/24 dev here");
    for address in [IpAddr::from([10, 79, 0, 1]), IpAddr::from([10, 80, 0, 1])] {
        let locate = async || pods::locate(&pod.netns(), &[address]).await.unwrap_err();
        let error = node.run(locate);
        assert!(matches!(error, Error::NoPeer { .. }), "{error}");
    }
}

#[test]
fn links_that_come_change_and_go_are_news_and_quiet_is_none() {
    let Some(node) = Node::new() else { return };
    node.run(async || {
        let mut changes = links::watch().unwrap();
        let pod = node.pod(9);
        for change in ["", "link set veth9 down", "link del veth9"] {
            if !change.is_empty() {
                node.ip(change);
            }
            timeout(DEADLINE, changes.next()).await.unwrap().unwrap();
        }
        // What lags behind is over when nothing came for a while.
        while timeout(Duration::from_millis(300), changes.next()).await.is_ok() {}
        pod.ip("link set lo down");
        assert!(timeout(Duration::from_millis(100), changes.next()).await.is_err());
    });
}

#[test]
fn more_changes_than_there_is_room_for_are_still_news() {
    let Some(node) = Node::new() else { return };
    node.run(async || {
        let mut changes = links::watch().unwrap();
        node.ip("link add flap type bridge");
        for _ in 0..400 {
            node.ip("link set flap up");
            node.ip("link set flap down");
        }
        timeout(DEADLINE, changes.next()).await.unwrap().unwrap();
        while timeout(Duration::from_millis(300), changes.next()).await.is_ok() {}
        node.ip("link del flap");
        timeout(DEADLINE, changes.next()).await.unwrap().unwrap();
    });
}

#[test]
fn connections_are_counted_by_their_other_side() {
    let Some(node) = Node::new() else { return };
    let (server, one, two) = (node.pod(10), node.pod(11), node.pod(12));
    let netns = named(&server.name);
    let listener = netns.run(dual_stack_listener).unwrap();
    let port = listener.local_addr().unwrap().as_socket().unwrap().port();
    let connect = |pod: &crate::node::Pod, to: IpAddr| {
        let to = SocketAddr::new(to, port);
        let client = pod.run(async move || TcpStream::connect(to).await.unwrap().into_std());
        (client.unwrap(), listener.accept().unwrap().0)
    };
    let [v4, v6] = addresses(10);
    let first = [connect(&one, v4), connect(&one, v4), connect(&one, v6), connect(&two, v6)];
    let open = sockets::open_connections(&netns).unwrap();
    let [one_v4, one_v6] = addresses(11);
    assert_eq!(open.get(&one_v4), Some(&2), "{open:?}");
    assert_eq!(open.get(&one_v6), Some(&1), "{open:?}");
    assert_eq!(open.get(&addresses(12)[1]), Some(&1), "{open:?}");
    assert_eq!(open.len(), 3, "the listener is no connection: {open:?}");

    // The server closes first, so that its sockets stay behind in TIME_WAIT.
    let (clients, accepted): (Vec<_>, Vec<_>) = first.into_iter().unzip();
    drop(accepted);
    for mut client in clients {
        client.set_nonblocking(false).unwrap();
        assert_eq!(std::io::Read::read(&mut client, &mut [0]).unwrap(), 0);
    }
    let none = || Ok(sockets::open_connections(&netns)?.is_empty());
    wait::until_true("end of all connections", DEADLINE, none).unwrap();
}

/// Takes IPv4 as mapped addresses.
fn dual_stack_listener() -> Socket {
    let socket = Socket::new(Domain::IPV6, Type::STREAM, None).unwrap();
    socket.set_only_v6(false).unwrap();
    socket.bind(&SocketAddr::from(([0_u16; 8], 0)).into()).unwrap();
    socket.listen(16).unwrap();
    socket
}

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const DEADLINE: Duration = Duration::from_secs(5);
