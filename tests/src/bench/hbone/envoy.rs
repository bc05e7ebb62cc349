//! Envoy as a waypoint, configured for one kind of work.

use anyhow::Result;

use super::{
    stage::{self, Backends, Stage, at},
    subject::{Alive, Running},
    target::{Shape, Target},
    work::{CONNECTIONS, Work},
};
use crate::{
    envoy::{Bootstrap, Cluster, Listener, Tunnel},
    lab::object::SERVER_PORT,
    wire::{Authority, Credentials, tunnel::PORT},
};

/// Starts it, with the backend that the work needs.
pub(super) fn start(work: Work, stage: &Stage) -> Result<Running> {
    let authority = Authority::new()?;
    let waypoint = authority.issue(WAYPOINT)?;
    let server = (&waypoint, DOMAIN);
    let (address, backend) = (at(1, PORT), at(2, SERVER_PORT));
    let tunnel = Tunnel { credentials: &waypoint, identity: BACKEND };
    let bootstrap = Bootstrap::default();
    let bootstrap = match work {
        Work::MutualTls => bootstrap
            .listener(Listener::mutual_tls(address, server, "backend"))
            .cluster(Cluster::plain("backend", backend)),
        Work::Handshake | Work::HboneToHttp => {
            terminating(bootstrap, server).cluster(Cluster::plain("backend", backend))
        }
        Work::HboneToHbone => terminating(bootstrap, server)
            .listener(Listener::internal_encapsulating("connect_originate", "outward"))
            .cluster(Cluster::tunnelled("backend", "connect_originate", backend))
            .cluster(Cluster::encapsulating("outward", &tunnel)),
    };
    let mut backends = Backends::new();
    stage.serve_plain(&mut backends, backend)?;
    stage.serve_hbone(&mut backends, at(2, PORT), &authority.issue(BACKEND)?)?;
    let directory = stage.directory("envoy");
    let pinned = ["taskset", "-c", stage::PROXY];
    let proxy = crate::envoy::start(stage.netns(), &directory, &bootstrap, &pinned)?;
    let shape = match work {
        Work::MutualTls => Shape::Connections(CONNECTIONS),
        other => other.shape(),
    };
    let proof = Some((WAYPOINT.to_owned(), authority.issue(CLIENT)?));
    let target = Target { address, proof, authority: backend.to_string(), shape };
    let process = proxy.id();
    Ok(Running { target, process, backends, _alive: Alive::Envoy { _proxy: proxy } })
}

/// Tunnels in, their content to an internal listener, and from there to the backend.
fn terminating(bootstrap: Bootstrap, server: (&Credentials, &str)) -> Bootstrap {
    bootstrap
        .listener(Listener::hbone(at(1, PORT), server, "main_internal"))
        .cluster(Cluster::internal("main_internal", "main_internal"))
        .listener(Listener::internal_http("main_internal", "backend"))
}

const DOMAIN: &str = "spiffe://cluster.local/";
const WAYPOINT: &str = "spiffe://cluster.local/ns/bench/sa/waypoint";
const BACKEND: &str = "spiffe://cluster.local/ns/bench/sa/backend";
const CLIENT: &str = "spiffe://cluster.local/ns/bench/sa/client";
