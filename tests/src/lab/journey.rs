//! What happened to a call in a mesh of several nodes: asserted from the answer, the counters of
//! the client's agent, and the access log and metrics of whoever was to handle it.

use std::net::IpAddr;

use anyhow::{Context, Result, ensure};

use super::{
    Agent, Daemon, Inhabitant, Lab, Reply, Visit,
    client::{Call, Place},
    observe::{REQUESTS, count, labels_of, whole},
    wait::{self, SOON},
};

impl Lab {
    /// Sends a call that the waypoint in a pod must handle: the client's agent captured one
    /// connection; the waypoint logged and counted one request, in agreement with the answer; and
    /// where a shop server answered, it was dialled by that pod.
    pub fn across(&self, call: &Call<'_>, waypoint: &str) -> Result<Visit> {
        let visit = self.handled_by(self.waypoint(waypoint)?, call)?;
        if visit.reply.status == 200
            && let Ok(peer) = visit.reply.server_saw_peer()
        {
            let dialler = self.address_of_pod(waypoint)?;
            ensure!(peer == dialler, "{call}: the server was dialled by {peer}, not by {dialler}");
        }
        Ok(visit)
    }

    /// Sends a call that some process must handle at L7, whoever dials the server.
    pub fn handled_by(&self, daemon: &Daemon, call: &Call<'_>) -> Result<Visit> {
        let lines = daemon.access_log()?.len();
        let metrics = daemon.metrics()?;
        let captured = self.captured_for(call)?;
        let reply = call.send()?;
        let path = &call.request().path;
        let line = daemon
            .wait_for_line("of the request", lines, |line| line["path"] == **path)
            .with_context(|| format!("{call} was answered {}: {}", reply.status, reply.text()))?;
        let code = line.get("response_code").and_then(serde_json::Value::as_u64);
        ensure!(code == Some(reply.status.into()), "{call}: {} but logged {line}", reply.status);
        let captured = self.captured_for(call)? - captured;
        ensure!(captured == 1, "{call}: {captured} connections captured");
        let status = reply.status.to_string();
        let labels = [&labels_of(call, &line)[..], &[("response_code", &status)]].concat();
        let wanted = whole(metrics.sum(REQUESTS, &labels)) + 1;
        wait::until_true(&format!("{wanted} {REQUESTS}{labels:?}"), SOON, || {
            Ok(whole(daemon.metrics()?.sum(REQUESTS, &labels)) == wanted)
        })?;
        Ok(Visit { reply, line })
    }

    /// Sends a call that must succeed without anybody in between: the server sees the client, and
    /// neither a captured connection nor a line of any access log is added.
    pub fn left_alone(&self, call: &Call<'_>) -> Result<Reply> {
        let before = self.handled()?;
        let reply = call.send()?;
        ensure!(reply.status == 200, "{call}: {} {}", reply.status, reply.text());
        let (peer, client) = (reply.server_saw_peer()?, self.address_of(call)?);
        ensure!(peer == client, "{call}: the server saw {peer} instead of the client {client}");
        let after = self.handled()?;
        ensure!(before == after, "{call} was not left alone: {before:?} became {after:?}");
        Ok(reply)
    }

    /// Sends a call that must not reach its server; the refusal is a closed connection.
    pub fn cut_off(&self, call: &Call<'_>) -> Result<()> {
        let reply = call.send();
        ensure!(reply.is_err(), "{call} was answered: {reply:?}");
        Ok(())
    }

    /// The identity of a pod.
    pub fn identity_of(&self, pod: &str) -> Result<String> {
        let pod = &self.inhabitant(pod)?.pod;
        Ok(format!("spiffe://cluster.local/ns/{}/sa/{}", pod.meta.namespace, pod.account))
    }

    /// The pod that has an address.
    pub fn pod_at(&self, address: IpAddr) -> Option<&str> {
        let has = |one: &Inhabitant| one.addresses.both().contains(&address);
        self.pods.iter().find(|(_, one)| has(one)).map(|(name, _)| name.as_str())
    }

    /// The name of a pod's node.
    pub fn node_of(&self, pod: &str) -> Result<&str> {
        Ok(&self.inhabitant(pod)?.node)
    }

    /// The agent of a pod's node.
    pub fn agent_of(&self, pod: &str) -> Result<&Agent> {
        self.agent_on(self.node_of(pod)?)
    }

    fn address_of_pod(&self, pod: &str) -> Result<IpAddr> {
        Ok(self.inhabitant(pod)?.addresses.of(self.family))
    }

    fn captured_for(&self, call: &Call<'_>) -> Result<u64> {
        let agent = match call.client.place {
            Place::Pod(name) => self.agent_of(name)?,
            Place::Node(name) => self.agent_on(name)?,
        };
        Ok(count(&agent.metrics()?, "captured"))
    }

    /// Captured connections and logged lines of every process.
    fn handled(&self) -> Result<Vec<(u64, usize)>> {
        let handled = self
            .daemons()
            .filter(|daemon| daemon.is_running())
            .map(|daemon| Ok((count(&daemon.metrics()?, "captured"), daemon.access_log()?.len())));
        handled.collect()
    }
}
