//! Describing a lab, then making it.

use std::{
    collections::BTreeMap,
    iter,
    net::SocketAddr,
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context, Result};

use super::{
    Inhabitant, Lab, VirtualService,
    address::{Addresses, Family},
    agent::{Agent, Settings},
    command,
    manifests::{Manifests, Source},
    name::{self, Name},
    netns::Netns,
    node::{Node, Nodes},
    object::{self, Gateway, Manifest, Namespace, Pod, Service},
    process::Process,
    topology::{self, Cabling, Link},
    underlay::Underlay,
};

/// A lab that is not there yet.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub struct LabBuilder {
    family: Family,
    manifests: Vec<Manifest>,
    texts: Vec<(String, String)>,
    gateways: Vec<Gateway>,
    pods: Vec<Pod>,
    services: Vec<Service>,
    nodes: Vec<String>,
    agent_arguments: Vec<String>,
    certificate_seconds: Option<u64>,
    governed: bool,
    shared_arguments: Vec<String>,
    agent: bool,
    last_words: bool,
    waits_for_turn: bool,
    source: Source,
}

impl LabBuilder {
    pub(super) fn new(family: Family) -> Self {
        Self {
            family,
            manifests: Vec::new(),
            texts: Vec::new(),
            gateways: Vec::new(),
            pods: Vec::new(),
            services: Vec::new(),
            nodes: Vec::new(),
            agent_arguments: Vec::new(),
            certificate_seconds: None,
            governed: false,
            shared_arguments: Vec::new(),
            agent: true,
            last_words: false,
            waits_for_turn: true,
            source: Source::told(),
        }
    }

    /// With a Namespace.
    #[must_use]
    pub fn namespace(mut self, namespace: Namespace) -> Self {
        self.manifests.push(namespace.manifest());
        self
    }

    /// With a Gateway; instead of an earlier one of the same name.
    #[must_use]
    pub fn gateway(mut self, gateway: Gateway) -> Self {
        self.gateways.retain(|earlier| {
            (&earlier.meta.namespace, &earlier.meta.name)
                != (&gateway.meta.namespace, &gateway.meta.name)
        });
        self.gateways.push(gateway);
        self
    }

    /// On several nodes, each with an agent, beside a certificate authority; waypoints run in pods.
    #[must_use]
    pub fn nodes<'n>(mut self, names: impl IntoIterator<Item = &'n str>) -> Self {
        self.nodes = names.into_iter().map(str::to_owned).collect();
        self
    }

    /// With further arguments for the agents.
    #[must_use]
    pub fn agent_arguments<'a>(mut self, further: impl IntoIterator<Item = &'a str>) -> Self {
        self.agent_arguments.extend(further.into_iter().map(str::to_owned));
        self
    }

    /// Where no agent or waypoint of several nodes writes an access log.
    #[must_use]
    pub fn without_access_logs(mut self) -> Self {
        self.shared_arguments.push("--no-access-log".to_owned());
        self
    }

    /// With certificates that hold so many seconds.
    #[must_use]
    pub fn certificate_seconds(mut self, seconds: u64) -> Self {
        self.certificate_seconds = Some(seconds);
        self
    }

    /// With a pod in a network namespace of its own, and its servers; instead of an earlier one of
    /// the same name.
    #[must_use]
    pub fn pod(mut self, pod: Pod) -> Self {
        self.pods.retain(|earlier| earlier.meta.name != pod.meta.name);
        self.pods.push(pod);
        self
    }

    /// With a Service; instead of an earlier one of the same name.
    #[must_use]
    pub fn service(mut self, service: Service) -> Self {
        self.services.retain(|earlier| earlier.meta.name != service.meta.name);
        self.services.push(service);
        self
    }

    /// With any text as a file of manifests.
    #[must_use]
    pub fn file(mut self, name: &str, text: &str) -> Self {
        self.texts.push((name.to_owned(), text.to_owned()));
        self
    }

    /// Every pod on a Linux bridge.
    #[must_use]
    pub fn bridged(mut self) -> Self {
        self.pods = self.pods.into_iter().map(Pod::bridged).collect();
        self
    }

    /// With objects in a Kubernetes control plane, which agents and waypoints follow.
    #[must_use]
    pub fn in_cluster(mut self) -> Self {
        self.source = Source::ControlPlane;
        self
    }

    /// The same, and the cluster sees to itself: controllers make EndpointSlices, and ours says
    /// where Gateways are. For several nodes.
    #[must_use]
    pub fn governed(mut self) -> Self {
        self.governed = true;
        self.in_cluster()
    }

    /// Without an agent.
    #[must_use]
    pub fn without_agent(mut self) -> Self {
        self.agent = false;
        self
    }

    /// Made at once although another lab of the same test stands: it shares that one's turn.
    #[must_use]
    pub fn beside(self, _other: &Lab) -> Self {
        self.at_once()
    }

    /// Made at once, by a program that makes no more labs than it wants to.
    #[must_use]
    pub fn at_once(mut self) -> Self {
        self.waits_for_turn = false;
        self
    }

    /// Prints the agent's last lines when the lab goes; a test shows them only when it fails.
    #[must_use]
    pub fn with_last_words(mut self) -> Self {
        self.last_words = true;
        self
    }

    /// Makes everything, waits until all servers listen and the agent is ready.
    pub fn start(self) -> Result<Lab> {
        let turn = if self.waits_for_turn { Some(name::turn()?) } else { None };
        name::sweep()?;
        name::bpffs()?;
        let name = Name::unique();
        let manifests = Manifests::create(name.directory().join("manifests"), self.source)?;
        let (nodes, underlay) = self.make_nodes(&name)?;
        let mut lab = Lab {
            family: self.family,
            mesh: None,
            pods: BTreeMap::new(),
            services: BTreeMap::new(),
            manifests,
            nodes,
            underlay,
            name,
            agent_arguments: self.agent_arguments,
            certificate_seconds: self.certificate_seconds,
            governed: self.governed,
            shared_arguments: self.shared_arguments,
            last_words: self.last_words,
            _turn: turn,
        };
        for manifest in self.manifests {
            lab.manifests.put(manifest)?;
        }
        for (file, text) in self.texts {
            lab.manifests.write(&file, &text)?;
        }
        lab.write_nodes()?;
        lab.add_pods(self.pods)?;
        for gateway in self.gateways {
            lab.write_gateway(gateway)?;
        }
        for service in self.services {
            lab.write_service(&service)?;
        }
        lab.manifests.begin(self.governed)?;
        if self.agent {
            lab.start_agent()?;
        }
        Ok(lab)
    }

    /// Makes the nodes, and the link between them if there are several.
    fn make_nodes(&self, lab: &Name) -> Result<(Nodes, Option<Underlay>)> {
        if self.nodes.is_empty() {
            let netns = Netns::create(&[lab.of(ALONE)])?.remove(0);
            topology::prepare_node(&netns, self.bridge_on(ALONE, 1))?;
            topology::address_alone(&netns)?;
            let first = node(ALONE, 1, Addresses::NODE, netns);
            return Ok((Nodes { first, others: Vec::new() }, None));
        }
        let names = self.nodes.iter().map(|name| lab.of(format!("node-{name}")));
        let names: Vec<_> = names.chain(iter::once(lab.of("underlay"))).collect();
        let mut spaces = Netns::create(&names)?;
        let underlay = Underlay::create(spaces.pop().context("the underlay's namespace")?)?;
        let mut nodes = Vec::new();
        for ((name, netns), number) in self.nodes.iter().zip(spaces).zip(1..) {
            topology::prepare_node(&netns, self.bridge_on(name, number))?;
            underlay.plug(&netns, number)?;
            nodes.push(node(name, number, Addresses::on_underlay(number), netns));
        }
        for Node { number, netns, .. } in &nodes {
            let others = nodes.iter().map(|other| other.number).filter(|other| other != number);
            underlay.route(netns, others)?;
        }
        let first = nodes.remove(0);
        Ok((Nodes { first, others: nodes }, Some(underlay)))
    }

    /// The addresses of a node's bridge, if any pod wants one there.
    fn bridge_on(&self, node: &str, number: u8) -> Option<Addresses> {
        let first = self.nodes.first().map_or(ALONE, String::as_str);
        let here = |pod: &&Pod| pod.node.as_deref().unwrap_or(first) == node;
        let wanted = self.pods.iter().filter(here).any(|pod| pod.cabling == Cabling::Bridged);
        wanted.then(|| Addresses::of_bridge(number))
    }
}

fn node(name: &str, number: u8, addresses: Addresses, netns: Netns) -> Node {
    Node { name: name.to_owned(), number, addresses, agent: None, netns }
}

impl Lab {
    /// Starts the lab's own agent, or everything that a mesh of several nodes needs.
    pub fn start_agent(&mut self) -> Result<()> {
        if self.underlay.is_some() {
            return self.start_mesh();
        }
        let kubeconfig = self.manifests.door_in(&self.nodes.first.netns)?;
        let settings = Settings { kubeconfig, ..self.agent_settings() };
        let node = &mut self.nodes.first;
        node.agent = Some(Agent::start(&node.netns, settings)?);
        Ok(())
    }

    /// How the agent of a lab of one node is started.
    pub fn agent_settings(&self) -> Settings {
        Settings {
            manifests: self.manifests.directory().to_owned(),
            kubeconfig: None,
            name: self.name.clone(),
            link: "wpd0".to_owned(),
            table: "waypoint".to_owned(),
            service_vips: true,
            cgroup: None,
            confined: false,
            membership: None,
            further: self.agent_arguments.clone(),
        }
    }

    fn add_pods(&mut self, pods: Vec<Pod>) -> Result<()> {
        let names: Vec<_> = pods.iter().map(|pod| self.name.of(&pod.meta.name)).collect();
        for (pod, netns) in pods.into_iter().zip(Netns::create(&names)?) {
            let number = u8::try_from(self.pods.len() + 1)?;
            self.settle_in(pod, netns, number)?;
        }
        for inhabitant in self.pods.values_mut() {
            for server in &mut inhabitant.servers {
                server.wait_for("listening on")?;
            }
        }
        Ok(())
    }

    /// Cables a pod, starts its servers and writes its manifest.
    pub(super) fn settle_in(&mut self, mut pod: Pod, netns: Netns, number: u8) -> Result<()> {
        pod.meta.uid = Some(uid());
        let node = match &pod.node {
            Some(name) => self.nodes.named(name)?,
            None => &self.nodes.first,
        };
        let (node, node_name) = (node.number, node.name.clone());
        let addresses = Addresses::of_pod(number, node);
        let link = Link { number, node, addresses, netns: &netns, cabling: pod.cabling };
        link.create(&self.nodes.named(&node_name)?.netns)?;
        let servers = self.start_servers(&pod, &netns)?;
        let name = pod.meta.name.clone();
        let inhabitant = Inhabitant { number, addresses, node: node_name, servers, pod, netns };
        self.manifests.put(inhabitant.manifest())?;
        self.pods.insert(name, inhabitant);
        self.lead_services()
    }

    fn start_servers(&self, pod: &Pod, netns: &Netns) -> Result<Vec<Process>> {
        let shop = command::product("waypoint-shop")?;
        let start = |(protocol, port): &(crate::shop::Protocol, u16)| {
            let protocol = format!("{protocol:?}").to_lowercase();
            let v4 = SocketAddr::from(([0; 4], *port)).to_string();
            let v6 = SocketAddr::from(([0_u16; 8], *port)).to_string();
            let (name, log) = (&pod.meta.name, format!("{}-{port}", pod.meta.name));
            let arguments = ["serve", "--name", name, "--protocol", &protocol];
            let arguments = [&arguments[..], &["--listen", &v4, "--listen", &v6]].concat();
            Process::start(netns, &log, &self.name.directory(), &shop, &arguments)
        };
        pod.serves.iter().map(start).collect()
    }

    /// Gives a Service addresses, unless it has some, and writes its manifest.
    pub(super) fn write_service(&mut self, service: &Service) -> Result<()> {
        let next = u16::try_from(self.services.len() + 1)?;
        let port = service.ports().first().map_or(0, |(_, port, _)| *port);
        let known = self.services.get(&service.meta.name);
        let addresses = known.map_or_else(|| Addresses::of_service(next), |known| known.addresses);
        self.manifests.put(service.manifest(addresses))?;
        let known = VirtualService { addresses, port, object: service.clone() };
        self.services.insert(service.meta.name.clone(), known);
        self.lead_services()
    }

    /// Writes a Gateway's manifest; where nobody says where it is, it is where its pods are.
    pub(super) fn write_gateway(&mut self, gateway: Gateway) -> Result<()> {
        let (namespace, name) = (&gateway.meta.namespace, &gateway.meta.name);
        let instance = self.pods.values().find(|one| {
            one.pod.meta.namespace == *namespace && one.pod.gateway.as_ref() == Some(name)
        });
        let gateway = match instance {
            Some(instance) if !gateway.has_a_place() && !self.governed => {
                gateway.at(instance.addresses.both())
            }
            _ => gateway,
        };
        self.manifests.put(gateway.manifest())
    }

    /// Writes the manifests of nodes that are several.
    fn write_nodes(&mut self) -> Result<()> {
        if self.underlay.is_some() {
            for node in self.nodes.all() {
                self.manifests.put(object::node(&node.name, node.addresses))?;
            }
        }
        Ok(())
    }
}

/// One that no other pod of this process has.
fn uid() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    format!("00000000-0000-4000-8000-{:012x}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// The name of a node that is alone.
const ALONE: &str = "node";
