//! A network namespace that plays the host, and pods beside it; all of it goes when it is dropped.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{self, Command},
    sync::atomic::{AtomicU32, Ordering},
};

use waypoint_user::{
    kernel::{Settings, netns::Netns},
    mesh::workload::NetnsRef,
};

/// A namespace in the place of a host's.
pub(crate) struct Node {
    pub(crate) name: String,
    run_dir: PathBuf,
}

/// A namespace in the place of a pod's.
pub(crate) struct Pod {
    pub(crate) name: String,
}

impl Node {
    /// Makes one; `None`, with a word about it, without the rights to.
    pub(crate) fn new() -> Option<Self> {
        if fs::metadata("/proc/self").unwrap().uid() != 0 {
            println!("SKIP: making network namespaces needs root");
            return None;
        }
        let name = unique("node");
        ip(&["netns", "add", &name]);
        let node = Self { run_dir: PathBuf::from("/run").join(&name), name };
        node.ip("link set lo up");
        node.sysctl("net/ipv4/ip_forward", "1");
        node.sysctl("net/ipv6/conf/all/forwarding", "1");
        Some(node)
    }

    /// Settings of an agent on this node.
    pub(crate) fn settings(&self, agent: &str) -> Settings {
        Settings {
            pin_dir: self.run_dir.join(agent).join("pins"),
            run_dir: self.run_dir.join(agent),
            link: format!("{agent}0"),
            ..Settings::default()
        }
    }

    /// Runs `ip` in the node's namespace.
    pub(crate) fn ip(&self, arguments: &str) -> String {
        ip_in(&self.name, arguments)
    }

    /// Runs work on the node, with a runtime whose blocking threads are there as well.
    pub(crate) fn run<T: Send, F: Future<Output = T>>(&self, work: impl FnOnce() -> F + Send) -> T {
        run_in(&self.name, work)
    }

    /// A pod with a routed link and both addresses; `number` tells it from its siblings.
    pub(crate) fn pod(&self, number: u8) -> Pod {
        let pod = Pod::new();
        let (outer, [v4, v6]) = (format!("veth{number}"), addresses(number));
        self.ip(&format!("link add {outer} type veth peer name eth0 netns {}", pod.name));
        self.ip(&format!("link set {outer} up"));
        self.ip(&format!("addr add fe80::1/64 dev {outer} nodad"));
        pod.ip("link set lo up");
        pod.ip("link set eth0 up");
        pod.ip(&format!("addr add {v4}/32 dev eth0"));
        pod.ip(&format!("addr add {v6}/128 dev eth0 nodad"));
        pod.ip("route add 169.254.1.1 dev eth0 scope link");
        pod.ip("route add default via 169.254.1.1");
        pod.ip("route add default via fe80::1 dev eth0");
        let links = self.ip(&format!("-br link show {outer}"));
        let hardware = links.split_whitespace().nth(2).unwrap();
        for gateway in ["169.254.1.1", "fe80::1"] {
            pod.ip(&format!("neigh replace {gateway} lladdr {hardware} dev eth0 nud permanent"));
        }
        self.ip(&format!("route add {v4}/32 dev {outer}"));
        self.ip(&format!("route add {v6}/128 dev {outer}"));
        pod
    }

    /// A pod with a port on the node's bridge, which is made when there is none.
    pub(crate) fn bridged_pod(&self, number: u8) -> Pod {
        if !self.ip("-br link").contains("br0") {
            self.ip("link add br0 type bridge");
            self.ip("addr add 10.78.0.254/24 dev br0");
            self.ip("link set br0 up");
            // Where the kernel can do it at all, it does by default: show a bridge's frames to the
            // rules.
            if Path::new("/proc/sys/net/bridge").exists() {
                self.sysctl("net/bridge/bridge-nf-call-iptables", "0");
            }
        }
        let pod = Pod::new();
        let outer = format!("port{number}");
        self.ip(&format!("link add {outer} type veth peer name eth0 netns {}", pod.name));
        self.ip(&format!("link set {outer} master br0 up"));
        pod.ip("link set lo up");
        pod.ip("link set eth0 up");
        pod.ip(&format!("addr add 10.78.0.{number}/24 dev eth0"));
        pod.ip("route add default via 10.78.0.254");
        pod
    }

    fn sysctl(&self, file: &str, value: &str) {
        let path = Path::new("/proc/sys").join(file);
        named(&self.name).run(|| fs::write(path, value)).unwrap().unwrap();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        for agent in fs::read_dir(&self.run_dir).into_iter().flatten().flatten() {
            let _ = waypoint_user::kernel::netns::remove(&agent.path().join("netns/agent"));
        }
        let _ = fs::remove_dir_all(&self.run_dir);
        let _ = Command::new("ip").args(["netns", "del", &self.name]).status();
    }
}

impl Pod {
    fn new() -> Self {
        let name = unique("pod");
        ip(&["netns", "add", &name]);
        Self { name }
    }

    /// How a manifest names the pod's namespace.
    pub(crate) fn netns(&self) -> NetnsRef {
        NetnsRef::Name(self.name.clone())
    }

    /// Runs `ip` in the pod's namespace.
    pub(crate) fn ip(&self, arguments: &str) -> String {
        ip_in(&self.name, arguments)
    }

    /// Runs work in the pod.
    pub(crate) fn run<T: Send, F: Future<Output = T>>(&self, work: impl FnOnce() -> F + Send) -> T {
        run_in(&self.name, work)
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.name]).status();
    }
}

/// The addresses of a routed pod.
pub(crate) fn addresses(number: u8) -> [std::net::IpAddr; 2] {
    [[10, 77, 0, number].into(), [0xfd77, 0, 0, 0, 0, 0, 0, u16::from(number)].into()]
}

/// The namespace of this name.
pub(crate) fn named(name: &str) -> Netns {
    Netns::open(&Path::new("/run/netns").join(name)).unwrap()
}

/// Runs work in a namespace, with a runtime whose blocking threads are there as well.
pub(crate) fn run_in<T: Send, F: Future<Output = T>>(
    name: &str,
    work: impl FnOnce() -> F + Send,
) -> T {
    let in_namespace = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(work())
    };
    named(name).run(in_namespace).unwrap()
}

fn unique(role: &str) -> String {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    format!("wpnn-{}-{number}-{role}", process::id())
}

fn ip_in(namespace: &str, arguments: &str) -> String {
    let in_namespace = ["-n", namespace];
    let all: Vec<&str> = in_namespace.into_iter().chain(arguments.split(' ')).collect();
    ip(&all)
}

fn ip(arguments: &[&str]) -> String {
    let output = Command::new("ip").args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {}: {errors}", arguments.join(" "));
    String::from_utf8(output.stdout).unwrap()
}
