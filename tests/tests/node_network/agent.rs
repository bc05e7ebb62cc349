//! The agent's namespace.

use std::{
    fs,
    io::{Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
};

use socket2::{Domain, Socket, Type};
use waypoint_user::kernel::{
    Settings,
    agent_netns::AgentNetns,
    netlink::{Error, RouteSocket},
    netns,
};

use crate::node::Node;

#[test]
fn making_sure_twice_changes_nothing() {
    let Some(node) = Node::new() else { return };
    let settings = node.settings("twice");
    let (before, repairs, after) = node.run(async || {
        let mut agent = AgentNetns::ensure(&settings).await.unwrap();
        let before = (state_inside(&agent), node.ip("-j -d addr"), agent.nsid());
        let repairs = agent.verify_or_repair().await.unwrap();
        let again = AgentNetns::ensure(&settings).await.unwrap();
        (before, repairs, (state_inside(&again), node.ip("-j -d addr"), again.nsid()))
    });
    assert_eq!(repairs, Vec::<String>::new());
    assert_eq!(before, after);
}

#[test]
fn whatever_is_broken_is_repaired() {
    let Some(node) = Node::new() else { return };
    let settings = node.settings("broken");
    let whole = node.run(async || state_inside(&AgentNetns::ensure(&settings).await.unwrap()));
    for damage in [
        "route del default",
        "-6 route del default",
        "route del 169.254.1.1 dev eth0",
        "route flush table 100",
        "-6 route flush table 100",
        "rule del pref 10",
        "-6 rule del pref 10",
        "neigh del 169.254.1.1 dev eth0",
        "neigh replace fe80::1 lladdr 02:00:00:00:00:09 dev eth0 nud permanent",
        "addr flush dev eth0",
        "link set eth0 down",
        "link set lo down",
    ] {
        let repairs = node.run(async || {
            let mut agent = AgentNetns::ensure(&settings).await.unwrap();
            ip_inside(&settings, damage);
            assert_ne!(state_inside(&agent), whole, "{damage}: it does damage");
            let repairs = agent.verify_or_repair().await.unwrap();
            assert_eq!(state_inside(&agent), whole, "{damage}: repaired");
            assert_eq!(agent.verify_or_repair().await.unwrap(), Vec::<String>::new());
            repairs
        });
        assert!(!repairs.is_empty(), "{damage}");
    }
}

#[test]
fn a_deleted_or_lowered_link_comes_back_and_its_new_number_is_known() {
    let Some(node) = Node::new() else { return };
    let settings = node.settings("link");
    node.run(async || {
        let mut agent = AgentNetns::ensure(&settings).await.unwrap();
        node.ip("link set link0 down");
        assert_eq!(agent.verify_or_repair().await.unwrap().first().unwrap(), "link link0 up");
        for damage in ["link del link0", "link set link0 name other"] {
            node.ip(damage);
            agent.verify_or_repair().await.unwrap();
            let link = RouteSocket::open().unwrap().link_named("link0").unwrap().unwrap();
            assert_eq!((link.index, link.is_up), (agent.host_ifindex(), true), "{damage}");
            assert_eq!(link.peer_nsid, Some(agent.nsid()), "{damage}");
        }
        assert!(!node.ip("-br link").contains("other"));
    });
}

#[test]
fn a_namespace_that_lost_its_file_is_kept_while_it_is_open() {
    let Some(node) = Node::new() else { return };
    let settings = node.settings("file");
    node.run(async || {
        let mut agent = AgentNetns::ensure(&settings).await.unwrap();
        let inode = agent.netns().inode();
        netns::remove(agent.netns().path()).unwrap();
        let repairs = agent.verify_or_repair().await.unwrap();
        assert_eq!(repairs.len(), 1, "{repairs:?}");
        assert_eq!(agent.netns().inode(), inode);
    });
}

#[test]
fn the_settings_that_the_data_path_rests_on_are_repaired() {
    let Some(node) = Node::new() else { return };
    let settings = node.settings("sysctl");
    node.run(async || {
        let mut agent = AgentNetns::ensure(&settings).await.unwrap();
        let file = "/proc/sys/net/ipv4/tcp_fwmark_accept";
        agent.netns().run(|| fs::write(file, "0")).unwrap().unwrap();
        let repairs = agent.verify_or_repair().await.unwrap();
        assert_eq!(repairs, [format!("{file} = 1")]);
        let after = agent.netns().run(|| fs::read_to_string(file)).unwrap().unwrap();
        assert_eq!(after.trim(), "1");
    });
}

#[test]
fn removing_leaves_nothing_behind() {
    let Some(node) = Node::new() else { return };
    let settings = node.settings("gone");
    let state = || {
        ["-j -d addr", "-j route show table all", "-j rule", "-j neigh"].map(|what| node.ip(what))
    };
    let mounts = || fs::read_to_string("/proc/self/mountinfo").unwrap().matches("gone").count();
    let before = state();
    node.run(async || {
        AgentNetns::ensure(&settings).await.unwrap();
        assert_ne!(state(), before);
        assert!(mounts() > 0);
        assert_eq!(AgentNetns::remove(&settings).unwrap().len(), 3);
        assert_eq!(AgentNetns::remove(&settings).unwrap(), Vec::<String>::new());
    });
    assert_eq!(state(), before);
    assert_eq!(mounts(), 0);
    assert!(!settings.run_dir.exists());
}

#[test]
fn two_agents_of_one_host_do_not_meet() {
    let Some(node) = Node::new() else { return };
    let (one, other) = (node.settings("one"), node.settings("two"));
    node.run(async || {
        let mut first = AgentNetns::ensure(&one).await.unwrap();
        let mut second = AgentNetns::ensure(&other).await.unwrap();
        assert_ne!(first.netns().inode(), second.netns().inode());
        assert_ne!(first.host_ifindex(), second.host_ifindex());
        assert_ne!(first.nsid(), second.nsid());
        assert_eq!(first.verify_or_repair().await.unwrap(), Vec::<String>::new());
        AgentNetns::remove(&one).unwrap();
        assert_eq!(second.verify_or_repair().await.unwrap(), Vec::<String>::new());
    });
}

#[test]
fn a_link_of_somebody_else_is_never_touched() {
    let Some(node) = Node::new() else { return };
    let settings = node.settings("taken");
    node.ip("link add taken0 type bridge");
    let before = node.ip("-j -d link show taken0");
    node.run(async || {
        let error = AgentNetns::ensure(&settings).await.unwrap_err();
        assert!(matches!(&error, Error::LinkTaken(link) if link == "taken0"), "{error}");
        AgentNetns::remove(&settings).unwrap();
    });
    assert_eq!(node.ip("-j -d link show taken0"), before);
}

#[test]
fn the_hosts_own_namespace_is_never_taken_for_the_agents() {
    let Some(node) = Node::new() else { return };
    let settings = node.settings("host");
    let before = node.ip("-j -d addr");
    node.run(async || {
        let path = settings.run_dir.join("netns/agent");
        netns::Netns::current().unwrap().bind(&path).unwrap();
        let error = AgentNetns::ensure(&settings).await.unwrap_err();
        assert!(matches!(error, Error::HostNetns { .. }), "{error}");
        AgentNetns::remove(&settings).unwrap();
    });
    assert_eq!(node.ip("-j -d addr"), before);
}

#[test]
fn two_agents_cannot_share_a_link() {
    let Some(node) = Node::new() else { return };
    let one = node.settings("first");
    let other = Settings { link: one.link.clone(), ..node.settings("second") };
    node.run(async || {
        let mut agent = AgentNetns::ensure(&one).await.unwrap();
        let error = AgentNetns::ensure(&other).await.unwrap_err();
        assert!(matches!(error, Error::LinkTaken(_)), "{error}");
        assert_eq!(agent.verify_or_repair().await.unwrap(), Vec::<String>::new());
    });
}

#[test]
fn a_connection_to_any_address_is_local_once_it_is_inside() {
    let Some(node) = Node::new() else { return };
    let settings = node.settings("any");
    node.run(async || {
        let agent = AgentNetns::ensure(&settings).await.unwrap();
        let inner = agent.netns().run(|| RouteSocket::open().unwrap().link_named("eth0"));
        let hardware = inner.unwrap().unwrap().unwrap().hardware_address;
        let hardware: Vec<_> = hardware.iter().map(|byte| format!("{byte:02x}")).collect();
        node.ip("addr add 198.51.100.1/32 dev lo");
        node.ip("route add 192.0.2.1 dev any0 src 198.51.100.1");
        let lladdr = hardware.join(":");
        node.ip(&format!("neigh replace 192.0.2.1 lladdr {lladdr} dev any0 nud permanent"));

        let listener = agent.netns().run(transparent_listener).unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut client = TcpStream::connect(("192.0.2.1", port)).unwrap();
        let (mut accepted, peer) = listener.accept().unwrap();
        assert_eq!(peer.ip(), IpAddr::from([198, 51, 100, 1]));
        assert_eq!(accepted.local_addr().unwrap().ip(), IpAddr::from([192, 0, 2, 1]));
        accepted.write_all(b"reached").unwrap();
        drop(accepted);
        let mut said = String::new();
        client.read_to_string(&mut said).unwrap();
        assert_eq!(said, "reached");
    });
}

fn transparent_listener() -> TcpListener {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_ip_transparent_v4(true).unwrap();
    socket.bind(&SocketAddr::from(([0, 0, 0, 0], 0)).into()).unwrap();
    socket.listen(1).unwrap();
    socket.into()
}

fn state_inside(agent: &AgentNetns) -> Vec<String> {
    let what = ["-o addr", "route show table all", "-6 route show table all", "rule", "-6 rule"];
    let ip = |arguments: &str| {
        let output = std::process::Command::new("ip").args(arguments.split(' ')).output();
        let text = String::from_utf8(output.unwrap().stdout).unwrap();
        // The kernel adds an address's own routes in its own time; and neither the order of
        // addresses nor the numbers of links tell anything.
        let ours = text.lines().filter(|line| !line.contains("table local proto kernel"));
        let mut lines: Vec<_> = ours.map(str::trim).map(str::to_owned).collect();
        lines.sort();
        lines.join("\n")
    };
    let neighbours = ["neigh show nud permanent", "-6 neigh show nud permanent"];
    let all = what.into_iter().chain(neighbours);
    agent.netns().run(|| all.map(ip).collect()).unwrap()
}

fn ip_inside(settings: &Settings, arguments: &str) {
    let netns = netns::Netns::open(&settings.run_dir.join("netns/agent")).unwrap();
    let run = || std::process::Command::new("ip").args(arguments.split(' ')).status();
    assert!(netns.run(run).unwrap().unwrap().success(), "ip {arguments}");
}
