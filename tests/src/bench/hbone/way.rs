//! The whole way across two nodes: the client's agent, a waypoint, the server's agent.
//!
//! It is measured beside the same client dialling the same server directly, between the same pods.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Result, ensure};

use super::{
    Settings, clients,
    report::Report,
    stage::{self, Backends},
    target::{Shape, Target},
};
use crate::{
    lab::{Family, Lab, Object, Pod, object::SERVER_PORT},
    shop,
    story::two_nodes,
};

/// What the rows are called.
pub(super) const NAME: &str = "the whole way";

/// How a request gets from one node to the other.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Way {
    /// By the network alone.
    Direct,
    /// Captured, then by HBONE to the waypoint, then by HBONE to the server's agent.
    Whole,
}

impl Way {
    pub(super) const ALL: &[Self] = &[Self::Direct, Self::Whole];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Whole => NAME,
        }
    }
}

/// Measures both ways, with one client and with many, in turn.
pub(super) fn measure(settings: &Settings, report: &mut Report) -> Result<()> {
    let server = Pod::new("shop", "reviews-v1").label("app", "reviews").on_node("n2");
    let mut lab = two_nodes(Lab::new(Family::V4)).pod(server).start()?;
    let processes = [
        lab.agent_on_mut("n1")?.process()?.id(),
        lab.agent_on_mut("n2")?.process()?.id(),
        lab.waypoint_mut("waypoint")?.process()?.id(),
    ];
    processes.iter().try_for_each(|process| stage::pin(*process))?;
    let (pod, service) = (lab.pod_address("reviews-v1")?.ip(), lab.service_address("reviews")?);
    let pod = SocketAddr::new(pod, SERVER_PORT);
    let (runtime, mut backends) = (stage::runtime()?, Backends::new());
    let listener = lab.from("reviews-v1").netns()?.within(|| shop::listen(pod))?;
    stage::serve_plain(listener, stage::BODY, &mut backends, &runtime);
    let client = lab.from("web").netns()?;
    for round in 1..=settings.rounds {
        for (way, clients) in Way::ALL.iter().flat_map(|way| CLIENTS.map(|many| (*way, many))) {
            let address = if way == Way::Direct { pod } else { service };
            let (authority, shape) = (address.to_string(), Shape::Connections(clients));
            let target = Target { address, proof: None, authority, shape };
            let period = Duration::from_secs(settings.seconds);
            let measured = clients::measure(&target, &processes, period);
            let before = captured(&lab)?;
            let outcome = stage::on_clients_core(client, &runtime, measured)?;
            let captured = captured(&lab)? > before;
            ensure!(captured == (way == Way::Whole), "the kernel did not do {way:?}");
            eprintln!("{}, {clients} clients, round {round}: {outcome}", way.name());
            report.way(way, clients, outcome);
        }
    }
    Ok(())
}

/// Connections that the client's node captured.
fn captured(lab: &Lab) -> Result<f64> {
    Ok(lab.agent_on("n1")?.metrics()?.sum(EVENTS, &[("reason", "captured")]))
}

/// How many ask at the same time.
pub(super) const CLIENTS: [usize; 2] = [1, 64];
const EVENTS: &str = "waypoint_kernel_packets_total";
