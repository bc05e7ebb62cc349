//! What a lab of several nodes has besides its agents: the certificate authority, and a process in
//! each waypoint's pod; and stopping and starting any of them.

use std::{collections::BTreeMap, ffi::OsString};

use anyhow::{Context, Result, ensure};

use super::{
    Inhabitant, Lab,
    agent::{Agent, Membership, Settings},
    authority::{self, Authority},
    daemon::{self, Daemon},
    name::Name,
    process::Process,
    underlay::Underlay,
    wait::SOON,
};

/// The processes that no node has.
#[derive(Debug)]
pub(super) struct Mesh {
    /// By the pod's name.
    waypoints: BTreeMap<String, Daemon>,
    authority: Authority,
}

impl Lab {
    /// The agent of a node.
    pub fn agent_on(&self, node: &str) -> Result<&Agent> {
        let agent = self.nodes.named(node)?.agent.as_ref();
        agent.with_context(|| format!("no agent on {node}"))
    }

    /// The same, to stop it or to ask for its process.
    pub fn agent_on_mut(&mut self, node: &str) -> Result<&mut Agent> {
        let agent = self.nodes.named_mut(node)?.agent.as_mut();
        agent.with_context(|| format!("no agent on {node}"))
    }

    /// Starts a node's agent again.
    pub fn resume_agent_on(&mut self, node: &str) -> Result<()> {
        let node = self.nodes.named_mut(node)?;
        node.agent.as_mut().context("no agent to start again")?.resume(&node.netns)
    }

    /// Starts a successor of a node's agent, and waits until that has taken over; the former agent
    /// goes on with what it has.
    pub fn succeed_agent_on(&mut self, node: &str) -> Result<Process> {
        let node = self.nodes.named_mut(node)?;
        node.agent.as_mut().context("no agent to succeed")?.succeed(&node.netns)
    }

    /// The same, and waits until the former agent has ended as it should.
    pub fn replace_agent_on(&mut self, node: &str) -> Result<()> {
        let status = self.succeed_agent_on(node)?.wait(SOON * 4)?;
        ensure!(status.success(), "the former agent ended with {status}");
        Ok(())
    }

    /// The waypoint in a pod.
    pub fn waypoint(&self, pod: &str) -> Result<&Daemon> {
        let waypoint = self.mesh.as_ref().and_then(|mesh| mesh.waypoints.get(pod));
        waypoint.with_context(|| format!("no waypoint runs in {pod}"))
    }

    /// The same, to stop it or to ask for its process.
    pub fn waypoint_mut(&mut self, pod: &str) -> Result<&mut Daemon> {
        let waypoint = self.mesh.as_mut().and_then(|mesh| mesh.waypoints.get_mut(pod));
        waypoint.with_context(|| format!("no waypoint runs in {pod}"))
    }

    /// Starts the waypoint in a pod again.
    pub fn resume_waypoint(&mut self, pod: &str) -> Result<()> {
        self.launch_waypoint(pod)?;
        self.waypoint_mut(pod)?.wait_until_ready()
    }

    /// The certificate authority.
    pub fn authority(&self) -> Result<&Authority> {
        Ok(&self.mesh.as_ref().context("a lab of one node has no authority")?.authority)
    }

    /// The same, to stop it and start it again.
    pub fn authority_mut(&mut self) -> Result<&mut Authority> {
        Ok(&mut self.mesh.as_mut().context("a lab of one node has no authority")?.authority)
    }

    /// The link between the nodes.
    pub fn underlay(&self) -> Result<&Underlay> {
        self.underlay.as_ref().context("a lab of one node has no underlay")
    }

    /// The arguments of a waypoint, as a person would type them.
    pub fn waypoint_arguments(&self, pod: &str) -> Result<Vec<OsString>> {
        let Inhabitant { pod, netns, .. } = self.inhabitant(pod)?;
        let namespace = &pod.meta.namespace;
        let gateway = pod.gateway.as_ref().context("the pod is no waypoint's")?;
        let account = format!("{namespace}/{}", pod.account);
        let admittance = self.authority()?.admit_account(&account)?;
        let mut arguments: Vec<OsString> = vec!["proxy".into()];
        arguments.extend(match self.manifests.door_in(netns)? {
            Some(file) => ["--kubeconfig".into(), file.into()],
            None => ["--manifests".into(), self.manifests.directory().into()],
        });
        arguments.extend([
            "--gateway".into(),
            format!("{namespace}/{gateway}").into(),
            "--pod".into(),
            format!("{namespace}/{}", pod.meta.name).into(),
        ]);
        arguments.extend(admittance.arguments());
        arguments.extend(self.shared_arguments.iter().map(OsString::from));
        arguments.extend(pod.further.iter().map(OsString::from));
        arguments.extend(daemon::admin_arguments(&self.name_of_waypoint(&pod.meta.name)));
        Ok(arguments)
    }

    /// Starts the authority, then all agents and waypoints, and waits until they are ready.
    pub(super) fn start_mesh(&mut self) -> Result<()> {
        let numbers: Vec<_> = self.nodes.all().map(|node| node.number).collect();
        let settings = authority::Settings {
            family: self.family,
            certificate_seconds: self.certificate_seconds,
            governs: self.governed,
        };
        let (underlay, manifests) = (self.underlay()?, &self.manifests);
        let authority = Authority::start(&self.name, underlay, &numbers, manifests, settings)?;
        self.mesh = Some(Mesh { waypoints: BTreeMap::new(), authority });
        self.lead_services()?;
        let pods = self.pods.iter().filter(|(_, one)| one.pod.gateway.is_some());
        for pod in pods.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            self.launch_waypoint(&pod)?;
        }
        for name in self.nodes.all().map(|node| node.name.clone()).collect::<Vec<_>>() {
            let settings = self.settings_of_member(&name)?;
            let node = self.nodes.named_mut(&name)?;
            node.agent = Some(Agent::launch(&node.netns, settings)?);
        }
        for daemon in self.daemons_mut() {
            daemon.wait_until_ready()?;
        }
        if self.governed {
            self.manifests.await_gateways()?;
            self.settled_after(Vec::new())?;
        }
        Ok(())
    }

    /// Forgets the waypoint that runs in a pod, if one does.
    pub(super) fn take_waypoint(&mut self, pod: &str) -> Option<Daemon> {
        self.mesh.as_mut()?.waypoints.remove(pod)
    }

    /// Every process that follows manifests and was started: agents and waypoints.
    pub(super) fn daemons(&self) -> impl Iterator<Item = &Daemon> {
        let waypoints = self.mesh.iter().flat_map(|mesh| mesh.waypoints.values());
        self.nodes.all().filter_map(|node| node.agent.as_deref()).chain(waypoints)
    }

    fn daemons_mut(&mut self) -> impl Iterator<Item = &mut Daemon> {
        let waypoints = self.mesh.iter_mut().flat_map(|mesh| mesh.waypoints.values_mut());
        self.nodes.all_mut().filter_map(|node| node.agent.as_deref_mut()).chain(waypoints)
    }

    fn launch_waypoint(&mut self, pod: &str) -> Result<()> {
        let arguments = self.waypoint_arguments(pod)?;
        let name = self.name_of_waypoint(pod);
        let netns = &self.pods.get(pod).with_context(|| format!("no pod {pod}"))?.netns;
        let mesh = self.mesh.as_mut().context("a lab of one node has no waypoints")?;
        if !mesh.waypoints.contains_key(pod) {
            mesh.waypoints.insert(pod.to_owned(), Daemon::new(name)?);
        }
        let waypoint = mesh.waypoints.get_mut(pod).context("it was inserted")?;
        waypoint.launch(netns, &arguments)
    }

    fn name_of_waypoint(&self, pod: &str) -> Name {
        self.name.part(format!("pod-{pod}"))
    }

    fn settings_of_member(&self, node: &str) -> Result<Settings> {
        let admittance = self.authority()?.admit_node(node)?;
        let further = [&*self.agent_arguments, &*self.shared_arguments].concat();
        Ok(Settings {
            name: self.name.part(format!("agent-{node}")),
            kubeconfig: self.manifests.door_in(&self.nodes.named(node)?.netns)?,
            service_vips: !self.has_service_proxy(),
            membership: Some(Membership { node: node.to_owned(), admittance, further }),
            further: Vec::new(),
            ..self.agent_settings()
        })
    }
}
