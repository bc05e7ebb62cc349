//! The shop on two nodes: its pods, and asking and changing things there.

use anyhow::Result;

use super::meeting::{Meetings, uri};
use crate::{
    demo::narrator,
    lab::{
        Capture, Family, Gateway, Lab, Namespace, Object, Pod, Reply, Service, Visit, WaypointPod,
    },
};

/// The shop, open.
#[derive(Debug)]
pub(super) struct Scene {
    /// Where it happens.
    pub(super) lab: Lab,
    acts: usize,
}

impl Scene {
    /// Brings up both nodes.
    pub(super) fn open() -> Result<Self> {
        let server = |app: &str| Pod::server(NAMESPACE, app, app).on_node(FAR);
        let lab = Lab::new(Family::V4)
            .nodes([NEAR, FAR])
            .namespace(Namespace::new(NAMESPACE).enrolled().uses(WAYPOINT))
            .gateway(Gateway::new(NAMESPACE, WAYPOINT))
            .pod(Pod::new(NAMESPACE, "web"))
            .pod(Pod::new(NAMESPACE, "guest"))
            .pod(Pod::new(NAMESPACE, "stranger").opted_out())
            .pod(WaypointPod::of(NAMESPACE, WAYPOINT).on_node(FAR))
            .pod(Pod::server(NAMESPACE, "catalog", "catalog"))
            .pod(server("reviews"))
            .pod(server("ratings"))
            .service(Service::new(NAMESPACE, "catalog"))
            .service(Service::new(NAMESPACE, "reviews"))
            .service(Service::new(NAMESPACE, "ratings"))
            .start()?;
        let scene = Self { lab, acts: 0 };
        narrator::say("These were started, each where it belongs:");
        scene.show_processes()?;
        Ok(scene)
    }

    /// Begins the next act.
    pub(super) fn act(&mut self, title: &str, why: &str) {
        self.acts += 1;
        narrator::title(&format!("{}. {title}", self.acts));
        narrator::say(why);
    }

    /// Asks a service from a pod; the waypoint must handle it.
    pub(super) fn ask(&self, client: &str, service: &str) -> Result<Visit> {
        self.ask_with(client, service, &[])
    }

    /// The same, with header fields.
    pub(super) fn ask_with(
        &self,
        client: &str,
        service: &str,
        headers: &[(&str, &str)],
    ) -> Result<Visit> {
        let plain = self.lab.from(client).to(service);
        let call = headers.iter().fold(plain, |call, (name, value)| call.header(name, value));
        let shown = headers.iter().map(|(name, value)| format!(" -H '{name}: {value}'"));
        self.typed_in(client, &format!("curl{} {}", shown.collect::<String>(), call.url()?))?;
        let visit = self.lab.across(&call, WAYPOINT)?;
        narrator::came_back(&self.account(&visit.reply)?);
        Ok(visit)
    }

    /// Asks a pod by its own address, whoever carries it.
    pub(super) fn ask_pod(&self, client: &str, pod: &str, secret: &str) -> Result<Result<Reply>> {
        let call = self.lab.from(client).to_pod(pod).header(SECRET, secret);
        self.typed_in(client, &format!("curl -H '{SECRET}: {secret}' {}", call.url()?))?;
        let reply = call.send();
        narrator::came_back(&match &reply {
            Ok(reply) => self.account(reply)?,
            Err(error) => format!("{error:#}"),
        });
        Ok(reply)
    }

    /// Listens to the link between the nodes.
    pub(super) fn listen(&self) -> Result<Capture> {
        let path = self.lab.underlay()?.netns().path();
        narrator::typed(&format!("nsenter --net={} tcpdump -w all.pcap", path.display()));
        self.lab.capture_underlay()
    }

    /// Puts manifests in force.
    pub(super) fn apply(&mut self, file: &str, text: &str) -> Result<()> {
        let directory = self.lab.agent_settings().manifests;
        narrator::typed(&format!("$EDITOR {}/{file}", directory.display()));
        narrator::came_back(text.trim());
        self.lab.apply(file, text)
    }

    /// Takes them back.
    pub(super) fn withdraw(&mut self, file: &str) -> Result<()> {
        let directory = self.lab.agent_settings().manifests;
        narrator::typed(&format!("rm {}/{file}", directory.display()));
        self.lab.withdraw(file)
    }

    /// Who met whom so far.
    pub(super) fn meetings(&self) -> Result<Meetings> {
        let mut meetings = Meetings::default();
        for node in [NEAR, FAR] {
            meetings.add(&format!("agent of {node}"), &self.lab.agent_on(node)?.metrics()?);
        }
        meetings.add("waypoint", &self.lab.waypoint(WAYPOINT)?.metrics()?);
        Ok(meetings)
    }

    /// What a server says of a request.
    fn account(&self, reply: &Reply) -> Result<String> {
        let Ok(server) = reply.says("name") else {
            return Ok(format!("HTTP {}: {}", reply.status, reply.text()));
        };
        let (peer, told) = (reply.server_saw_peer()?, reply.server_got(XFCC)?);
        let dialler = self.lab.pod_at(peer).unwrap_or("nobody we know");
        let told = told.map_or_else(String::new, |told| format!(", for {}", uri(&told)));
        Ok(format!(
            "HTTP {} from {server} on {}, dialled by {peer} ({dialler}){told}",
            reply.status,
            self.lab.node_of(&server)?
        ))
    }

    fn typed_in(&self, pod: &str, command: &str) -> Result<()> {
        let path = self.lab.from(pod).netns()?.path();
        narrator::typed(&format!("nsenter --net={} {command}", path.display()));
        Ok(())
    }

    fn show_processes(&self) -> Result<()> {
        let mut all = vec![("controller", self.lab.authority()?.arguments())];
        for node in [NEAR, FAR] {
            all.push((node, self.lab.agent_on(node)?.settings().arguments()));
        }
        all.push(("the pod waypoint", self.lab.waypoint_arguments(WAYPOINT)?));
        for (place, arguments) in all {
            let words = arguments.iter().map(|word| word.to_string_lossy().into_owned());
            narrator::say(&format!("on {place}:"));
            narrator::typed(&format!("waypointd {}", words.collect::<Vec<_>>().join(" ")));
        }
        Ok(())
    }
}

/// The node of the clients.
pub(super) const NEAR: &str = "n1";
/// The node of the waypoint and of most servers.
pub(super) const FAR: &str = "n2";
/// The Gateway and its pod.
pub(super) const WAYPOINT: &str = "waypoint";
/// The header that carries what must not be read on the wire.
pub(super) const SECRET: &str = "x-secret";
/// The header that tells a server of its client.
pub(super) const XFCC: &str = "x-forwarded-client-cert";
const NAMESPACE: &str = "shop";
