//! Traffic of a mesh in a cluster, and which way it takes.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use waypoint_tests::{
    lab::{
        Gateway, Lab, LabBuilder, Load, Namespace, Object, Pod, WaypointPod,
        wait::{SOON, until_true},
    },
    story::{shop, two_nodes},
};

/// Clients on both nodes; nothing names a waypoint, of which there are two in their namespace and
/// one in another that serves everybody.
pub(crate) fn town(lab: LabBuilder) -> LabBuilder {
    shop(two_nodes(lab))
        .pod(Pod::server("shop", "reviews-v1", "reviews").on_node("n2"))
        .pod(Pod::new("shop", "mobile").on_node("n2"))
        .gateway(Gateway::new("shop", "other"))
        .pod(WaypointPod::of("shop", "other").on_node("n1"))
        .namespace(Namespace::new("infra").enrolled())
        .gateway(Gateway::new("infra", "shared").from_all())
        .pod(WaypointPod::of("infra", "shared").on_node("n1"))
        .governed()
}

/// Requests of clients on both nodes, which go on until they are counted.
pub(crate) struct Traffic(Vec<(&'static str, Load)>);

impl Traffic {
    /// Begins.
    pub(crate) fn begin(lab: &Lab) -> Result<Self> {
        let load = |client| Ok((client, lab.from(client).to("reviews").load(PER_SECOND)?));
        Ok(Self(CLIENTS.into_iter().map(load).collect::<Result<_>>()?))
    }

    /// Ends, and not one may have failed.
    pub(crate) fn unharmed(self) -> Result<()> {
        let mut failures = Vec::new();
        for (client, load) in self.0 {
            let tally = load.finish()?;
            println!("{client}: {} requests, {} failed", tally.sent, tally.failures.len());
            failures.extend(tally.failures.into_iter().map(|text| format!("{client}: {text}")));
        }
        ensure!(failures.is_empty(), "{} requests failed: {failures:#?}", failures.len());
        Ok(())
    }
}

/// Who dials the server for a client: a waypoint's pod, or the client itself.
fn dialler(lab: &Lab, client: &str) -> Result<String> {
    let reply = lab.from(client).to("reviews").send()?;
    ensure!(reply.status == 200, "{}: {}", reply.status, reply.text());
    let peer = reply.server_saw_peer()?;
    Ok(lab.pod_at(peer).with_context(|| format!("the server was dialled by {peer}"))?.to_owned())
}

/// Whether the requests of all clients take the way through one of these pods; none of them means
/// that they are to go directly.
pub(crate) fn go_through(lab: &Lab, pods: &[&str]) -> Result<bool> {
    for client in CLIENTS {
        let through = dialler(lab, client)?;
        let is_right =
            if pods.is_empty() { through == client } else { pods.contains(&through.as_str()) };
        if !is_right {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Changes something with kubectl, and measures until all requests take the new way.
pub(crate) fn moved(lab: &Lab, words: &str, pods: &[&str]) -> Result<()> {
    let before = Instant::now();
    lab.control_plane()?.kubectl(&words.split(' ').collect::<Vec<_>>())?;
    // kubectl itself takes long to start; what counts begins when the server has the change.
    let written = Instant::now();
    until_true(words, SOON, || go_through(lab, pods))?;
    let (took, all) = (written.elapsed(), before.elapsed());
    println!("kubectl {words}: {took:?} after it had ended, {all:?} with it");
    ensure!(took < Duration::from_secs(1), "{words} took {took:?}");
    // And it stays so.
    for _ in 0..3 {
        ensure!(go_through(lab, pods)?, "{words}: some requests took another way afterwards");
    }
    Ok(())
}

/// Waits until requests were answered by all of these servers, and by no other for a while.
pub(crate) fn answered_by(lab: &Lab, servers: &[&str]) -> Result<()> {
    let wanted: BTreeSet<String> = servers.iter().map(|name| (*name).to_owned()).collect();
    until_true(&format!("answers of {servers:?}"), SOON, || {
        let mut names = BTreeSet::new();
        // Of two servers, one is missed by all of these once in half a million times.
        for _ in 0..10 {
            for client in CLIENTS {
                names.insert(lab.from(client).to("reviews").send()?.says("name")?);
            }
        }
        Ok(names == wanted)
    })
}

const CLIENTS: [&str; 2] = ["web", "mobile"];
/// Of each client.
const PER_SECOND: u32 = 20;
