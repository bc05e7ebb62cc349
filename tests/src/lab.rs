//! A node with pods, in real network namespaces, with `waypointd standalone` on it; or several
//! nodes with `waypointd agent` on each, waypoints in pods and a certificate authority.
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! use waypoint_tests::lab::{Family, Gateway, Lab, Namespace, Object, Pod, Service};
//! let mut lab = Lab::new(Family::V4)
//!     .namespace(Namespace::new("shop").enrolled())
//!     .gateway(Gateway::new("shop", "waypoint"))
//!     .pod(Pod::new("shop", "web"))
//!     .pod(Pod::server("shop", "reviews-v1", "reviews"))
//!     .service(Service::new("shop", "reviews"))
//!     .start()?;
//! lab.direct(&lab.from("web").to("reviews"))?;
//! lab.label("Namespace", "shop", "istio.io/use-waypoint", "waypoint")?;
//! lab.through_waypoint(&lab.from("web").to("reviews"))?;
//! # Ok(())
//! # }
//! ```
//!
//! It looks at the product from outside only: files in, sockets and lines out.
//!
//! **Invariant:** a lab leaves nothing behind, also when its test panics; what a killed test leaves
//! is removed by the next lab.

pub mod address;
pub mod agent;
mod arrivals;
pub mod authority;
mod builder;
pub mod capture;
pub mod cgroup;
pub mod client;
pub mod command;
pub mod daemon;
pub mod http;
mod journey;
pub mod load;
pub mod manifests;
mod mesh;
pub mod metrics;
mod name;
pub mod netns;
pub mod node;
pub mod object;
mod observe;
pub mod process;
mod proof;
mod service_proxy;
mod tenancy;
pub mod topology;
pub mod underlay;
pub mod wait;

use std::{collections::BTreeMap, fs::File, net::SocketAddr};

use anyhow::{Context, Result};
use nix::fcntl::Flock;
use serde_json::Value;

pub use address::{Addresses, Family};
pub use agent::Agent;
pub use authority::Authority;
pub use builder::LabBuilder;
pub use capture::{Capture, Frames};
pub use cgroup::Cgroup;
pub use client::{Call, Client};
pub use daemon::Daemon;
pub use http::{Connection, Reply, Request};
pub use load::{Load, Tally};
pub use metrics::Metrics;
pub use name::Name;
pub use netns::Netns;
pub use node::Node;
pub use object::{Gateway, Namespace, Object, Pod, Service, WaypointPod};
pub use observe::Visit;
pub use process::Process;
pub use proof::Proof;
pub use underlay::Underlay;

use crate::kube::ControlPlane;

use client::Place;
use manifests::Manifests;
use mesh::Mesh;
use node::Nodes;
use object::Manifest;

/// A lab that stands until it is dropped.
// Fields are dropped in this order: first what runs, then where it runs.
#[derive(Debug)]
pub struct Lab {
    family: Family,
    mesh: Option<Mesh>,
    pods: BTreeMap<String, Inhabitant>,
    services: BTreeMap<String, VirtualService>,
    manifests: Manifests,
    nodes: Nodes,
    underlay: Option<Underlay>,
    name: Name,
    agent_arguments: Vec<String>,
    certificate_seconds: Option<u64>,
    governed: bool,
    shared_arguments: Vec<String>,
    last_words: bool,
    _turn: Option<Flock<File>>,
}

/// A pod that is there.
#[derive(Debug)]
struct Inhabitant {
    number: u8,
    addresses: Addresses,
    node: String,
    servers: Vec<Process>,
    pod: Pod,
    netns: Netns,
}

impl Inhabitant {
    fn manifest(&self) -> Manifest {
        let Self { addresses, netns, .. } = self;
        // A story may say that a pod is on a node which is not there.
        let node = self.pod.node.as_ref().unwrap_or(&self.node);
        self.pod.manifest(object::Place { netns: netns.name(), addresses: *addresses, node })
    }
}

/// A Service, its addresses and first port.
#[derive(Clone, Debug)]
struct VirtualService {
    addresses: Addresses,
    port: u16,
    object: Service,
}

impl Lab {
    /// Describes a lab in which calls use one address family; everything has addresses of both.
    #[allow(clippy::new_ret_no_self, reason = "a lab is described first, then made")]
    pub fn new(family: Family) -> LabBuilder {
        LabBuilder::new(family)
    }

    /// The family of calls.
    pub fn family(&self) -> Family {
        self.family
    }

    /// Makes calls from here on in another family.
    pub fn speak(&mut self, family: Family) {
        self.family = family;
    }

    /// The name that everything of this lab carries.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The network namespace of the node, or of the first of several.
    pub fn node(&self) -> &Netns {
        &self.nodes.first.netns
    }

    /// A node of several.
    pub fn node_named(&self, name: &str) -> Result<&Node> {
        self.nodes.named(name)
    }

    /// The agent of the node, or of the first of several.
    pub fn agent(&self) -> Result<&Agent> {
        self.nodes.first.agent.as_ref().context("the lab has no agent")
    }

    /// Calls from a pod.
    pub fn from<'l>(&'l self, pod: &'l str) -> Client<'l> {
        Client { lab: self, place: Place::Pod(pod) }
    }

    /// Calls from the node itself, as the kubelet makes them.
    pub fn from_node(&self) -> Client<'_> {
        self.from_node_named(&self.nodes.first.name)
    }

    /// Calls from one node of several.
    pub fn from_node_named<'l>(&'l self, node: &'l str) -> Client<'l> {
        Client { lab: self, place: Place::Node(node) }
    }

    /// The address and first port of a Service.
    pub fn service_address(&self, name: &str) -> Result<SocketAddr> {
        let service = self.services.get(name).with_context(|| format!("no Service {name}"))?;
        Ok(SocketAddr::new(service.addresses.of(self.family), service.port))
    }

    /// The address and first port of a pod.
    pub fn pod_address(&self, name: &str) -> Result<SocketAddr> {
        let Inhabitant { addresses, pod, .. } = self.inhabitant(name)?;
        let port = pod.serves.first().map_or(0, |(_, port)| *port);
        Ok(SocketAddr::new(addresses.of(self.family), port))
    }

    /// The host side of a pod's link.
    pub fn link_of(&self, pod: &str) -> Result<String> {
        Ok(topology::host_side(self.inhabitant(pod)?.number))
    }

    /// Sets a label of an object, and waits until that is in force.
    pub fn label(&mut self, kind: &str, name: &str, key: &str, value: &str) -> Result<()> {
        self.edited(|manifests| {
            manifests.edit(kind, name, |meta| {
                meta.labels.insert(key.to_owned(), value.to_owned());
            })
        })
    }

    /// Removes a label of an object, and waits until that is in force.
    pub fn unlabel(&mut self, kind: &str, name: &str, key: &str) -> Result<()> {
        self.edited(|manifests| {
            manifests.edit(kind, name, |meta| {
                meta.labels.remove(key);
            })
        })
    }

    /// Writes a Gateway, and waits until it is in force.
    pub fn put_gateway(&mut self, gateway: Gateway) -> Result<()> {
        let before = self.generation()?;
        self.write_gateway(gateway)?;
        self.settled_after(before)
    }

    /// Writes a file of manifests, and waits until it is in force.
    pub fn apply(&mut self, file: &str, text: &str) -> Result<()> {
        self.edited(|manifests| manifests.write(file, text))
    }

    /// Removes a file of manifests, and waits until that is in force.
    pub fn withdraw(&mut self, file: &str) -> Result<()> {
        self.edited(|manifests| manifests.delete(file))
    }

    /// Removes an object, and waits until that is in force.
    pub fn delete(&mut self, kind: &str, name: &str) -> Result<()> {
        self.edited(|manifests| manifests.remove(kind, name))
    }

    /// Changes a pod's manifest but not the pod, and waits until that is in force; not so in a
    /// governed lab, where not everybody reads every pod.
    pub fn edit_pod(&mut self, name: &str, change: impl FnOnce(Pod) -> Pod) -> Result<()> {
        let before = self.generation()?;
        let one = self.pods.get_mut(name).with_context(|| format!("no pod {name}"))?;
        one.pod = change(one.pod.clone());
        let manifest = one.manifest();
        self.manifests.put(manifest)?;
        self.lead_services()?;
        if self.governed {
            self.manifests.forget("Pod");
            return Ok(());
        }
        self.settled_after(before)
    }

    /// Ends a pod and makes one of the same name, addresses and servers in a new network namespace.
    pub fn recreate_pod(&mut self, name: &str) -> Result<()> {
        self.recreate_pod_as(name, |pod| pod)
    }

    /// The same, but for what is changed.
    pub fn recreate_pod_as(&mut self, name: &str, change: impl FnOnce(Pod) -> Pod) -> Result<()> {
        let old = self.pods.remove(name).with_context(|| format!("no pod {name}"))?;
        let Inhabitant { number, node, pod, netns, servers, .. } = old;
        drop(servers);
        self.nodes
            .named(&node)?
            .netns
            .ip(&format!("link del {}\n", topology::host_side(number)))?;
        drop(netns);
        let pod = change(pod);
        let fresh = Netns::create(&[self.name.of(format!("{name}-again"))])?;
        let before = self.generation()?;
        for netns in fresh {
            self.settle_in(pod.clone(), netns, number)?;
        }
        let again = self.pods.get_mut(name).context("the pod is there again")?;
        for server in &mut again.servers {
            server.wait_for("listening on")?;
        }
        self.settled_after(before)
    }

    /// Writes a Service, and waits until it is in force.
    pub fn put_service(&mut self, service: &Service) -> Result<()> {
        let before = self.generation()?;
        self.write_service(service)?;
        self.settled_after(before)
    }

    /// The control plane that has the lab's objects, where it is told with one.
    pub fn control_plane(&self) -> Result<&ControlPlane> {
        self.manifests.control_plane().context("the lab's objects are in a directory only")
    }

    /// What `waypointctl analyze` says about the manifests.
    pub fn analyze(&self) -> Result<String> {
        self.analyze_as("table")
    }

    /// The same, for programs.
    pub fn analyze_as_json(&self) -> Result<Value> {
        Ok(serde_json::from_str(&self.analyze_as("json")?)?)
    }

    /// Kills the agent without a warning.
    pub fn kill_agent(&mut self) -> Result<()> {
        self.own_agent()?.kill()
    }

    /// Asks the agent to end.
    pub fn ask_agent_to_end(&self) -> Result<()> {
        self.agent()?.ask_to_end()
    }

    /// Asks the agent to end, and waits until it has.
    pub fn stop_agent(&mut self) -> Result<()> {
        self.own_agent()?.stop()?;
        Ok(())
    }

    /// Starts the agent again.
    pub fn resume_agent(&mut self) -> Result<()> {
        let Node { agent, netns, .. } = &mut self.nodes.first;
        agent.as_mut().context("the lab has no agent")?.resume(netns)
    }

    /// The agent's process.
    pub fn agent_process(&mut self) -> Result<&mut Process> {
        self.own_agent()?.process()
    }

    /// Removes every trace of the agent, by its own command.
    pub fn cleanup(&self) -> Result<String> {
        self.agent()?.cleanup(self.node())
    }

    fn own_agent(&mut self) -> Result<&mut Agent> {
        self.nodes.first.agent.as_mut().context("the lab has no agent")
    }

    fn analyze_as(&self, output: &str) -> Result<String> {
        let program = command::product("waypointctl")?;
        let directory = self.manifests.directory().to_string_lossy();
        let arguments = ["analyze", "--manifests", &directory, "--output", output];
        command::output(&program, &arguments)
    }

    fn inhabitant(&self, name: &str) -> Result<&Inhabitant> {
        self.pods.get(name).with_context(|| format!("no pod {name}"))
    }

    fn edited(&mut self, change: impl FnOnce(&mut Manifests) -> Result<()>) -> Result<()> {
        let before = self.generation()?;
        change(&mut self.manifests)?;
        self.settled_after(before)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if self.last_words {
            self.daemons().for_each(|daemon| eprintln!("{}", daemon.last_words(60)));
        }
        self.mesh = None;
        self.nodes.all_mut().for_each(Node::clear);
        self.name.scrub();
    }
}
