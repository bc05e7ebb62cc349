//! A whole Kubernetes cluster on this machine: a control plane and nodes, each a set of namespaces
//! with its own containerd, kubelet and kube-proxy, and real pods on them.
//!
//! It is made of the programs that a cluster is made of; ours are only the names of Services
//! ([`dns`]) and what lies between the nodes (the lab's underlay). It holds no product code and
//! reaches nothing outside the machine: images are imported from files.
//!
//! **Invariant:** a cluster leaves nothing behind. Its processes die with the one that started it,
//! a node's pods die with the node's first process, and what the dead leave on disk, in cgroups
//! and in /run/netns carries the [`Place`]'s name and is removed by the next cluster.

mod cgroups;
mod dns;
pub mod node;
pub mod place;
mod settings;
pub mod stand;

use std::{
    fs::OpenOptions,
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde_json::json;

use crate::{
    kube::{ControlPlane, Door, Scheduler},
    lab::{Addresses, Netns, Underlay},
};

use dns::Dns;
pub use node::Node;
pub use place::Place;

/// What a cluster is to be.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it keeps what it needs.
    pub place: Place,
    /// How many nodes.
    pub nodes: u8,
    /// Archives of images that every node is to have; what pods stand on must be among them.
    pub images: Vec<PathBuf>,
}

/// A cluster that stands until it is dropped.
// Fields are dropped in this order: first what runs, then where it runs.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Node>,
    _dns: Dns,
    /// For programs outside.
    door: Door,
    _scheduler: Scheduler,
    plane: ControlPlane,
    /// The control plane's, and that of the link between all of them.
    _networks: (Netns, Underlay),
    place: Place,
}

impl Cluster {
    /// Starts one, and tells on the way what is being done.
    pub fn start(settings: &Settings, tell: &dyn Fn(&str)) -> Result<Self> {
        let Settings { place, nodes: count, images } = settings;
        place::sweep();
        place.scrub();
        place.create()?;
        tell("the link between the nodes");
        let (underlay, network, machines) = network(place, *count)?;
        tell("etcd, kube-apiserver, kube-controller-manager, kube-scheduler");
        let plane = ControlPlane::start_in(&network, &addresses().both())?;
        plane.run_controllers()?;
        let scheduler = plane.scheduler()?;
        let door = plane.door_outside()?;
        let dns = Dns::start(&network, addresses(), door.kubeconfig())?;
        plane.apply(&fixtures().to_string())?;
        tell(&format!("containerd, kubelet and kube-proxy of {count} nodes"));
        let nodes = (1..=*count).zip(machines);
        let nodes = nodes.map(|(number, netns)| Node::start(place, number, netns, &plane));
        let nodes = nodes.collect::<Result<Vec<_>>>()?;
        let (networks, place) = ((network, underlay), place.clone());
        let cluster = Self {
            nodes,
            _dns: dns,
            door,
            _scheduler: scheduler,
            plane,
            _networks: networks,
            place,
        };
        cluster.settle(images, tell)?;
        Ok(cluster)
    }

    /// The administrator's credentials, for programs outside the cluster.
    pub fn kubeconfig(&self) -> &Path {
        self.door.kubeconfig()
    }

    /// The control plane.
    pub fn plane(&self) -> &ControlPlane {
        &self.plane
    }

    /// Runs kubectl as the administrator.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        self.plane.kubectl(arguments)
    }

    /// All nodes.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// A node by its name.
    pub fn node(&self, name: &str) -> Result<&Node> {
        let found = self.nodes.iter().find(|node| node.name() == name);
        found.with_context(|| format!("no node {name}"))
    }

    /// Gives every node an image.
    pub fn import(&self, image: &Path) -> Result<()> {
        self.nodes.iter().try_for_each(|node| node.import(image))
    }

    /// Where it keeps what it needs.
    pub fn place(&self) -> &Place {
        &self.place
    }

    fn settle(&self, images: &[PathBuf], tell: &dyn Fn(&str)) -> Result<()> {
        self.nodes.iter().try_for_each(Node::wait_for_containerd)?;
        for image in images {
            let name = image.file_name().unwrap_or_default().to_string_lossy();
            tell(&format!("{name} onto every node"));
            self.import(image)?;
        }
        tell("every node ready");
        let names: Vec<_> = self.nodes.iter().map(|node| format!("node/{}", node.name())).collect();
        for name in &names {
            // A node that has not registered yet cannot be waited for.
            self.plane.wait_for_object(name)?;
        }
        let mut wait = vec!["wait", "--for=condition=Ready", "--timeout=60s"];
        wait.extend(names.iter().map(String::as_str));
        self.kubectl(&wait)?;
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.nodes.clear();
        self.place.scrub();
    }
}

/// The link, the control plane's network namespace on it, and those of the nodes.
fn network(place: &Place, count: u8) -> Result<(Underlay, Netns, Vec<Netns>)> {
    let nodes = (1..=count).map(|number| place.of(node::name(number)));
    let names: Vec<_> = [place.of("net"), place.of("plane")].into_iter().chain(nodes).collect();
    let mut made = Netns::create(&names)?.into_iter();
    let underlay = Underlay::create(made.next().context("the link's namespace")?)?;
    let plane = made.next().context("the control plane's namespace")?;
    underlay.plug(&plane, PLANE)?;
    underlay.route(&plane, 1..=count)?;
    let nodes: Vec<_> = made.collect();
    for (number, netns) in (1..=count).zip(&nodes) {
        underlay.plug(netns, number)?;
        underlay.route(netns, (1..=count).filter(|other| *other != number))?;
        // Whoever dials a Service's address on a node needs a route before it is translated.
        let Addresses { v4, v6 } = addresses();
        netns.ip(&format!("route add default via {v4}\nroute add default via {v6}\n"))?;
    }
    Ok((underlay, plane, nodes))
}

/// What kubeadm would have made: the Service of names, and where both it and the API server are.
fn fixtures() -> serde_json::Value {
    let slice = |service: &str, namespace: &str, ports: serde_json::Value| {
        json!({
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": service,
                "namespace": namespace,
                "labels": {"kubernetes.io/service-name": service},
            },
            "addressType": "IPv4",
            "ports": ports,
            "endpoints": [{"addresses": [addresses().v4], "conditions": {"ready": true}}],
        })
    };
    json!({"apiVersion": "v1", "kind": "List", "items": [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "kube-dns", "namespace": "kube-system"},
            "spec": {"clusterIP": settings::DNS, "ports": [port("dns", "UDP", dns::PORT)]},
        },
        slice("kube-dns", "kube-system", json!([port("dns", "UDP", dns::PORT)])),
        slice("kubernetes", "default", json!([port("https", "TCP", crate::kube::PORT)])),
    ]})
}

/// Writes a program of one line of shell.
pub(crate) fn write_script(path: &Path, line: &str) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = OpenOptions::new();
    let options = options.create(true).truncate(true).write(true).mode(0o755);
    let mut file = options.open(path).with_context(|| path.display().to_string())?;
    Ok(write!(file, "#!/bin/sh\n{line}\n")?)
}

/// A port of a Service, or of endpoints.
fn port(name: &str, protocol: &str, port: u16) -> serde_json::Value {
    json!({"name": name, "protocol": protocol, "port": port})
}

/// Those of the control plane.
fn addresses() -> Addresses {
    Addresses::on_underlay(PLANE)
}

/// The control plane's number on the link; nodes count from 1.
const PLANE: u8 = 250;
