//! HBONE with Envoy at the other end: what Istio's own proxies speak.
//!
//! Its certificates come from our authority, by Istio's own call, unless a story says otherwise.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::{Context, Result, ensure};
use waypoint_tests::{
    envoy::{self, Bootstrap, Cluster, Listener, Tunnel},
    lab::{Lab, LabBuilder, Object, Pod, Process, Reply, Service, Visit, object::SERVER_PORT},
    story,
    story::two_nodes,
    wire::{Authority, Credentials, tunnel::PORT},
};

story!(envoy_as_a_client_of_our_waypoint, |lab| {
    if no_envoy() {
        return Ok(());
    }
    let lab = from_outside(lab).start()?;
    let _envoy = dialling(&lab, &certificate(&lab, CLIENT)?)?;
    let visit = visit(&lab, "/by-envoy")?;

    assert_eq!(visit.reply.status, 200, "{}", visit.line);
    assert_eq!(visit.reply.says("name")?, "reviews-v1");
    let told = visit.reply.server_got("x-forwarded-client-cert")?.unwrap_or_default();
    let identity = lab.identity_of(CLIENT)?;
    assert!(told.contains(&format!("URI={identity}")), "the server was told: {told}");
    assert_eq!(visit.logged("source_workload"), format!("shop/{CLIENT}"), "{}", visit.line);
    Ok(())
});

story!(envoy_with_a_certificate_of_strangers_is_no_client, |lab| {
    if no_envoy() {
        return Ok(());
    }
    let lab = from_outside(lab).start()?;
    let stranger = Authority::new()?.issue(&lab.identity_of(CLIENT)?)?;
    // It believes our waypoint, which does not believe it.
    let stranger = Credentials { root: certificate(&lab, CLIENT)?.root, ..stranger };
    let _envoy = dialling(&lab, &stranger)?;
    let lines = lab.waypoint("waypoint")?.access_log()?.len();

    let reply = call(&lab, "/by-a-stranger");
    assert!(reply.is_err(), "a stranger was answered: {reply:?}");
    assert_eq!(lab.waypoint("waypoint")?.access_log()?.len(), lines);
    Ok(())
});

story!(envoy_as_a_server_that_our_waypoint_dials, |lab| {
    if no_envoy() {
        return Ok(());
    }
    let mut lab = from_outside(lab).start()?;
    let certificate = certificate(&lab, SERVER)?;
    let waypoint = lab.identity_of("waypoint")?;
    let _server = serving(&mut lab, &certificate, &waypoint)?;
    let _client = dialling(&lab, &self::certificate(&lab, CLIENT)?)?;
    let visit = visit(&lab, "/to-envoy")?;

    assert_eq!(visit.reply.status, 200, "{}", visit.line);
    assert_eq!(visit.reply.says("name")?, SERVER);
    // Envoy dials the server beside it; a connection in the clear would have come from elsewhere.
    assert!(visit.reply.server_saw_peer()?.is_loopback());
    Ok(())
});

story!(envoy_with_another_identity_is_no_server, |lab| {
    if no_envoy() {
        return Ok(());
    }
    let mut lab = from_outside(lab).start()?;
    let certificate = certificate(&lab, CLIENT)?;
    let waypoint = lab.identity_of("waypoint")?;
    let _server = serving(&mut lab, &certificate, &waypoint)?;
    let _client = dialling(&lab, &certificate)?;
    let visit = visit(&lab, "/to-an-impostor")?;

    assert_eq!(visit.reply.status, 503, "{}", visit.line);
    Ok(())
});

story!(envoy_that_wants_another_client_is_no_server, |lab| {
    if no_envoy() {
        return Ok(());
    }
    let mut lab = from_outside(lab).start()?;
    let certificate = certificate(&lab, SERVER)?;
    let another = lab.identity_of(SERVER)?;
    let _server = serving(&mut lab, &certificate, &another)?;
    let _client = dialling(&lab, &self::certificate(&lab, CLIENT)?)?;
    let visit = visit(&lab, "/to-a-doubter")?;

    assert_eq!(visit.reply.status, 503, "{}", visit.line);
    Ok(())
});

/// True, and says why, when this machine cannot get Envoy.
fn no_envoy() -> bool {
    let missing = envoy::executable().err();
    if let Some(error) = &missing {
        println!("SKIP: {}", format!("{error:#}").replace('\n', " "));
    }
    missing.is_some()
}

/// A client and a server that no agent looks after; the Service is behind the waypoint.
fn from_outside(lab: LabBuilder) -> LabBuilder {
    two_nodes(lab)
        .pod(Pod::new("shop", CLIENT).opted_out())
        .pod(Pod::server("shop", SERVER, "reviews").opted_out().on_node("n2"))
        .service(Service::new("shop", "reviews"))
}

/// A certificate of a pod's identity, from the lab's authority.
fn certificate(lab: &Lab, pod: &str) -> Result<Credentials> {
    let admittance = lab.authority()?.admit_account(&format!("shop/{pod}"))?;
    admittance.certificate(lab.from(pod).netns()?, &lab.identity_of(pod)?)
}

/// Envoy in the client's pod: what comes to [`ENTRANCE`] goes to the Service by way of its
/// waypoint.
fn dialling(lab: &Lab, credentials: &Credentials) -> Result<Process> {
    let identity = lab.identity_of("waypoint")?;
    let tunnel = Tunnel { credentials, identity: &identity };
    let waypoint = SocketAddr::new(lab.pod_address("waypoint")?.ip(), PORT);
    let authority = lab.service_address("reviews")?.to_string();
    let bootstrap = Bootstrap::default()
        .listener(Listener::encapsulating(ENTRANCE.parse()?, &authority, "waypoint"))
        .cluster(Cluster::hbone("waypoint", waypoint, &tunnel));
    envoy::start(lab.from(CLIENT).netns()?, &directory(lab, "client"), &bootstrap, &[])
}

/// Envoy in the server's pod, on the port of HBONE; it lets in clients of one identity.
///
/// The pod is enrolled on a node that has no agent of ours, so nobody else takes that port.
fn serving(lab: &mut Lab, credentials: &Credentials, client: &str) -> Result<Process> {
    let address = SocketAddr::new(lab.pod_address(SERVER)?.ip(), PORT);
    let backend = SocketAddr::from(([127, 0, 0, 1], SERVER_PORT));
    let bootstrap = Bootstrap::default()
        .listener(Listener::hbone(address, (credentials, client), "application"))
        .cluster(Cluster::plain("application", backend));
    let netns = lab.from(SERVER).netns()?;
    let envoy = envoy::start(netns, &directory(lab, "server"), &bootstrap, &[])?;
    lab.edit_pod(SERVER, |pod| pod.enrolled().on_node("elsewhere"))?;
    Ok(envoy)
}

/// A request to Envoy in the client's pod.
fn call(lab: &Lab, path: &str) -> Result<Reply> {
    lab.from(CLIENT).to_address(ENTRANCE.parse()?).path(path).send()
}

/// The same, and what the waypoint logged of it.
fn visit(lab: &Lab, path: &str) -> Result<Visit> {
    let waypoint = lab.waypoint("waypoint")?;
    let lines = waypoint.access_log()?.len();
    let reply = call(lab, path).with_context(|| waypoint.last_words(20))?;
    let line = waypoint.wait_for_line("of the request", lines, |line| {
        line.get("path").is_some_and(|logged| logged == path)
    })?;
    let visit = Visit { reply, line };
    let (code, line) = (visit.logged("response_code"), &visit.line);
    ensure!(code == visit.reply.status.to_string(), "{} but logged {line}", visit.reply.status);
    Ok(visit)
}

fn directory(lab: &Lab, side: &str) -> PathBuf {
    lab.name().directory().join(format!("envoy-{side}"))
}

const CLIENT: &str = "guest";
const SERVER: &str = "reviews-v1";
/// Where Envoy takes connections in the client's pod.
const ENTRANCE: &str = "127.0.0.1:9999";
