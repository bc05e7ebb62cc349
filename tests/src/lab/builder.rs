//! Describing a lab, then making it.

use std::{collections::BTreeMap, net::SocketAddr};

use anyhow::Result;

use super::{
    Inhabitant, Lab, VirtualService,
    address::{Addresses, Family},
    agent::{Agent, Settings},
    command,
    manifests::Manifests,
    name::{self, Name},
    netns::Netns,
    object::{Gateway, Manifest, Namespace, Pod, Service},
    process::Process,
    topology::{self, Cabling, Link},
};

/// A lab that is not there yet.
#[derive(Debug)]
pub struct LabBuilder {
    family: Family,
    manifests: Vec<Manifest>,
    texts: Vec<(String, String)>,
    pods: Vec<Pod>,
    services: Vec<Service>,
    agent: bool,
    last_words: bool,
    waits_for_turn: bool,
}

impl LabBuilder {
    pub(super) fn new(family: Family) -> Self {
        Self {
            family,
            manifests: Vec::new(),
            texts: Vec::new(),
            pods: Vec::new(),
            services: Vec::new(),
            agent: true,
            last_words: false,
            waits_for_turn: true,
        }
    }

    /// With a Namespace.
    #[must_use]
    pub fn namespace(mut self, namespace: Namespace) -> Self {
        self.manifests.push(namespace.manifest());
        self
    }

    /// With a Gateway.
    #[must_use]
    pub fn gateway(mut self, gateway: Gateway) -> Self {
        self.manifests.push(gateway.manifest());
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

    /// Without an agent.
    #[must_use]
    pub fn without_agent(mut self) -> Self {
        self.agent = false;
        self
    }

    /// Made at once although another lab of the same test stands: it shares that one's turn.
    #[must_use]
    pub fn beside(mut self, _other: &Lab) -> Self {
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
        let manifests = Manifests::create(name.directory().join("manifests"))?;
        let node = Netns::create(&[name.of("node")])?.remove(0);
        topology::prepare_node(&node, self.pods.iter().any(|pod| pod.cabling == Cabling::Bridged))?;
        let mut lab = Lab {
            family: self.family,
            agent: None,
            pods: BTreeMap::new(),
            services: BTreeMap::new(),
            manifests,
            node,
            name,
            last_words: self.last_words,
            _turn: turn,
        };
        for manifest in self.manifests {
            lab.manifests.put(manifest)?;
        }
        for (file, text) in self.texts {
            lab.manifests.write(&file, &text)?;
        }
        lab.add_pods(self.pods)?;
        for service in self.services {
            lab.write_service(&service)?;
        }
        if self.agent {
            lab.start_agent()?;
        }
        Ok(lab)
    }
}

impl Lab {
    /// Starts the lab's own agent.
    pub fn start_agent(&mut self) -> Result<()> {
        self.agent = Some(Agent::start(&self.node, self.agent_settings())?);
        Ok(())
    }

    /// How the lab's own agent is started.
    pub fn agent_settings(&self) -> Settings {
        Settings {
            manifests: self.manifests.directory().to_owned(),
            name: self.name.clone(),
            link: "wpd0".to_owned(),
            table: "waypoint".to_owned(),
            service_vips: true,
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
    pub(super) fn settle_in(&mut self, pod: Pod, netns: Netns, number: u8) -> Result<()> {
        let addresses = Addresses::of_pod(number);
        let link = Link { number, addresses, netns: &netns, cabling: pod.cabling };
        link.create(&self.node)?;
        let servers = self.start_servers(&pod, &netns)?;
        self.manifests.put(pod.manifest(netns.name(), addresses))?;
        let name = pod.meta.name.clone();
        self.pods.insert(name, Inhabitant { number, addresses, servers, pod, netns });
        Ok(())
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
        self.services.insert(service.meta.name.clone(), VirtualService { addresses, port });
        Ok(())
    }
}
