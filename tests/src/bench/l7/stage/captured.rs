//! A node with pods: the kernel captures what the client's pod opens, and whoever is measured
//! beside us has a pod of its own that the client dials.

use std::net::SocketAddr;

use anyhow::Result;

use super::super::{
    config::{Scene, ours},
    work::Work,
};
use crate::{
    bench::l7::config::Protocol,
    lab::{Family, Gateway, Lab, Namespace, Netns, Object, Pod, Service, command},
};

/// The place, for one kind of work.
#[derive(Debug)]
pub(super) struct Captured {
    pub(super) lab: Lab,
    /// The agent, which carries and serves.
    pub(super) process: u32,
    /// The client's address of our Service.
    pub(super) service: SocketAddr,
    pub(super) backend: SocketAddr,
    pub(super) peer: SocketAddr,
}

impl Captured {
    pub(super) fn new(work: Work, target: u16) -> Result<Self> {
        let name = match work.protocols().1 {
            Protocol::Http1 => "http",
            Protocol::Http2 => "http2",
        };
        let mut lab = Lab::new(Family::V4)
            .namespace(Namespace::new("bench").enrolled())
            .gateway(Gateway::new("bench", "waypoint"))
            .pod(Pod::new("bench", "client"))
            .pod(Pod::new("bench", "peer").opted_out())
            .pod(Pod::new("bench", "backend").label("app", "backend").opted_out())
            .service(Service::new("bench", "backend").port(name, 80, target).uses("waypoint"))
            .agent_arguments(["--workers", "1"])
            .at_once();
        // Addresses do not matter to what is said of routes and policies.
        let unused = SocketAddr::from(([127, 0, 0, 1], 80));
        let scene = Scene {
            listen: unused,
            backend: unused,
            folder: "/".into(),
            credentials: None,
            protocols: work.protocols(),
            is_dressed: work.is_dressed(),
            routes: work.routes(),
            rules: work.rules(),
        };
        if let Some(text) = ours::rules(&scene) {
            lab = lab.file("rules.yaml", &text);
        }
        if !work.is_dressed() {
            lab = lab.without_access_logs();
        }
        let mut lab = lab.start()?;
        let process = lab.agent_process()?.id();
        command::run("taskset", &["-a", "-c", "-p", super::PROXY, &process.to_string()])?;
        let address = |pod| lab.pod_address(pod);
        let (backend, peer) = (address("backend")?, address("peer")?);
        Ok(Self { process, service: lab.service_address("backend")?, backend, peer, lab })
    }

    pub(super) fn netns_of<'l>(&'l self, pod: &'l str) -> Result<&'l Netns> {
        self.lab.from(pod).netns()
    }
}
