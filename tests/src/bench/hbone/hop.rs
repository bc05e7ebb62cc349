//! The hop from an agent to a waypoint of the same node: a socket of AF_UNIX, or HBONE over TCP and
//! TLS.
//!
//! Client, waypoint and server are pods of one node, and the server is dialled in plain TCP, so the
//! two ways differ in this hop only. Each has a lab of its own, and they take turns.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::{
    Settings,
    clients::{self, Outcome},
    report::Report,
    stage::{self, Backends},
    target::{Shape, Target},
};
use crate::{
    lab::{Family, Lab, Object, Pod, Service, object::SERVER_PORT},
    shop,
    story::mesh,
};

/// What the rows are called.
pub(super) const NAME: &str = "hop on one node";

/// How the waypoint is reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Hop {
    /// By a socket in its network namespace.
    Unix,
    /// By TCP and TLS.
    Tls,
}

impl Hop {
    pub(super) const ALL: [Self; 2] = [Self::Unix, Self::Tls];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Unix => "AF_UNIX",
            Self::Tls => "TCP + TLS",
        }
    }

    /// As the agent has it.
    fn option(self) -> &'static str {
        match self {
            Self::Unix => "unix",
            Self::Tls => "hbone",
        }
    }

    fn lab(self) -> Result<Lab> {
        let server = |name: &str, app: &str| Pod::new("shop", name).label("app", app).opted_out();
        mesh(Lab::new(Family::V4), "n1")
            .nodes(["n1"])
            .pod(server("reviews-v1", SMALL))
            .pod(server("files-v1", LARGE))
            .service(Service::new("shop", LARGE))
            .agent_arguments(["--local-hop", self.option()])
            .without_access_logs()
            .at_once()
            .start()
    }
}

/// Who asks for what.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Load {
    /// What the row says of it.
    pub(super) name: &'static str,
    service: &'static str,
    clients: usize,
}

impl Load {
    pub(super) const ALL: [Self; 3] = [
        Self { name: "1 KiB, 1 client", service: SMALL, clients: 1 },
        Self { name: "1 KiB, 64 clients", service: SMALL, clients: 64 },
        Self { name: "1 MiB, 4 clients", service: LARGE, clients: 4 },
    ];
}

/// A lab, and the processes that are measured.
struct Scene {
    hop: Hop,
    lab: Lab,
    processes: [u32; 2],
}

impl Scene {
    fn set(hop: Hop) -> Result<Self> {
        let mut lab = hop.lab()?;
        let agent = lab.agent_on_mut("n1")?.process()?.id();
        let processes = [agent, lab.waypoint_mut("waypoint")?.process()?.id()];
        processes.iter().try_for_each(|process| stage::pin(*process))?;
        Ok(Self { hop, lab, processes })
    }

    /// Measures, and makes sure of how the waypoint was reached.
    fn measure(&self, load: Load, period: Duration) -> Result<Outcome> {
        let (runtime, mut backends) = (stage::runtime()?, Backends::new());
        for (pod, body) in [("reviews-v1", stage::BODY), ("files-v1", 1 << 20)] {
            let mut address = self.lab.pod_address(pod)?;
            address.set_port(SERVER_PORT);
            let listener = self.lab.from(pod).netns()?.within(|| shop::listen(address))?;
            stage::serve_plain(listener, body, &mut backends, &runtime);
        }
        let address = self.lab.service_address(load.service)?;
        let (authority, shape) = (address.to_string(), Shape::Connections(load.clients));
        let target = Target { address, proof: None, authority, shape };
        let measured = clients::measure(&target, &self.processes, period);
        let client = self.lab.from("web");
        let outcome = stage::on_clients_core(client.netns()?, &runtime, measured)?;
        let tunnels = client.run("ss", &["-Htn", "state", "connected", "dport = :15008"])?;
        let by_tcp = !tunnels.trim().is_empty();
        ensure!(by_tcp == (self.hop == Hop::Tls), "{:?} has these tunnels: {tunnels}", self.hop);
        Ok(outcome)
    }
}

/// Measures both, load by load, in turn.
pub(super) fn measure(settings: &Settings, report: &mut Report) -> Result<()> {
    let scenes = Hop::ALL.into_iter().map(Scene::set).collect::<Result<Vec<_>>>()?;
    let period = Duration::from_secs(settings.seconds);
    for round in 1..=settings.rounds {
        for load in Load::ALL {
            for scene in &scenes {
                let outcome = scene.measure(load, period)?;
                let hop = scene.hop.name();
                eprintln!("{NAME}, {}, round {round}, {hop}: {outcome}", load.name);
                report.hops.add(load, scene.hop, outcome);
            }
        }
    }
    Ok(())
}

/// The Service whose answers fit a packet, and the one whose answers do not.
const SMALL: &str = "reviews";
const LARGE: &str = "files";
