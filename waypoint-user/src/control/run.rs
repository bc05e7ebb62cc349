//! The controller's work, for a term of its leadership.
//!
//! It decides nothing: each part of it has its own desk.
//!
//! **Invariant:** controllers of several revisions in one namespace never do the same work: of each
//! revision one sees to its Gateways, and of all of them one does the rest. A controller from
//! before the rest had a Lease of its own does it under that of the default revision: while such a
//! one is replaced, by a rolling update, there may be two, which apply the same fields by the same
//! name and so agree once the older one ends.

use std::{future::Future, sync::Arc};

use kube::Client;
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    identity::ca::Contents,
    mesh::{object::ObjectName, report::Report, snapshot},
    sync::{
        Feed, State,
        cluster::{self, Access},
        objects::Objects,
    },
    telemetry::{metrics::Registry, task, traces},
};

use super::{
    authority,
    events::{Events, Post},
    gateway,
    leader::{self, ClusterLease},
    status::{STATUS_PORT, Status},
    writer::Writer,
};

/// What the controller is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The namespace that it is installed in, where its Lease is, and its Secret.
    pub namespace: String,
    /// The service account of agents in that namespace.
    pub agent_account: String,
    /// Who it is, among its replicas.
    pub identity: String,
    /// The image of waypoints.
    pub waypoint_image: String,
    /// Where waypoints ask for certificates, HOST:PORT.
    pub ca_address: String,
    /// The revision whose Gateways it serves.
    pub revision: String,
    /// How waypoints send spans, if they do.
    pub tracing: Option<traces::Settings>,
    /// What holds for the whole mesh.
    pub mesh: snapshot::Settings,
}

/// A cluster to write to.
#[derive(Clone, Debug)]
pub struct Place {
    /// How its API server is reached.
    pub access: Access,
    /// What is written.
    pub settings: Settings,
}

/// What the cluster is, as it is read.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The objects.
    pub objects: watch::Receiver<Arc<Objects>>,
    /// What there is to say of them.
    pub reports: watch::Receiver<Arc<Report>>,
    /// Both, as they belong together.
    pub states: watch::Receiver<State>,
    /// The certificate authority.
    pub authority: watch::Receiver<Arc<Contents>>,
}

impl Sources {
    /// What a feed publishes, beside the authority.
    pub fn of(feed: &Feed, authority: watch::Receiver<Arc<Contents>>) -> Self {
        let (objects, reports) = (feed.objects.clone(), feed.reports.clone());
        Self { objects, reports, states: feed.states.clone(), authority }
    }
}

/// What every part of the work is done with; clones share it.
#[derive(Clone)]
pub struct Tools {
    /// Reads what the feed has not.
    pub client: Client,
    /// Writes.
    pub writer: Writer,
    /// Tells.
    pub events: Events,
    /// Writes what was decided.
    pub status: Status,
    /// What it is told.
    pub settings: Arc<Settings>,
    /// What the cluster is.
    pub sources: Sources,
}

/// Starts [`run`], if there is a cluster.
pub async fn start(
    place: Option<Place>,
    sources: Sources,
    registry: &Registry,
    shutdown: CancellationToken,
) -> Result<Option<JoinHandle<()>>, cluster::Error> {
    let Some(Place { access, settings }) = place else { return Ok(None) };
    let client = cluster::connect(&access).await?;
    let registry = registry.clone();
    let running = async move { run(client, settings, sources, &registry, shutdown).await };
    Ok(Some(task::spawn("controller", running)))
}

/// Takes part in the election of a leader, and does the controller's work while elected, until
/// shutdown.
pub async fn run(
    client: Client,
    settings: Settings,
    sources: Sources,
    registry: &Registry,
    shutdown: CancellationToken,
) {
    let (events, post) = Events::new(client.clone(), settings.identity.clone(), registry);
    let writer = Writer::new(client.clone(), registry);
    let status = Status::new(client.clone(), STATUS_PORT, registry);
    let settings = Arc::new(settings);
    let tools = Tools { client, writer, events, status, settings, sources };
    let posting = post_events(post, &shutdown);
    let elections = [lease_of(&tools.settings.revision), MESH_LEASE.to_owned()]
        .map(|name| Election { name, led: Arc::new(watch::Sender::new(false)) });
    export(&elections, registry);
    let [gateways, mesh] = elections;
    let of_gateways = gateways.lead(&tools, shutdown.clone(), gateway::run);
    let of_mesh = mesh.lead(&tools, shutdown, term);
    tokio::join!(Box::pin(of_gateways), Box::pin(of_mesh));
    // A task that panicked was logged when it did.
    let _ = posting.await;
}

/// What controllers elect a leader for.
struct Election {
    /// The name of the Lease.
    name: String,
    /// Whether this process is the leader.
    led: Arc<watch::Sender<bool>>,
}

impl Election {
    /// Takes part until shutdown, and works while elected.
    async fn lead<W: Future<Output = ()>>(
        self,
        tools: &Tools,
        shutdown: CancellationToken,
        work: impl Fn(Tools, CancellationToken) -> W,
    ) {
        let Settings { namespace, identity, .. } = &*tools.settings;
        let lease = ClusterLease::new(tools.client.clone(), ObjectName::new(namespace, self.name));
        let term = |ends| work(tools.clone(), ends);
        leader::lead(lease, identity.clone(), self.led, shutdown, term).await;
    }
}

/// What one controller of all revisions does for the mesh, for one term: the authority's roots, and
/// the status of whatever is no Gateway.
async fn term(tools: Tools, ends: CancellationToken) {
    let Sources { objects, authority, states, .. } = tools.sources.clone();
    let spread = authority::spread(tools.client.clone(), tools.writer.clone(), objects, authority);
    let status = tools.status.clone().run(states, ends.clone());
    tokio::join!(ends.run_until_cancelled(spread), status);
}

/// Takes Events to the API server in the background.
fn post_events(post: Post, shutdown: &CancellationToken) -> JoinHandle<()> {
    task::spawn("events", post.run(shutdown.clone()))
}

/// Exports what this process leads in.
fn export(elections: &[Election], registry: &Registry) {
    let help = "Whether this controller is the one that writes what its Lease is about.";
    let all: Vec<_> = elections.iter().map(|one| (one.name.clone(), one.led.subscribe())).collect();
    registry.gauge_source("waypoint_controller_leader", help, "lease", move || {
        let row = |(name, led): &(String, watch::Receiver<bool>)| {
            (name.clone(), u64::from(*led.borrow()))
        };
        all.iter().map(row).collect()
    });
}

/// The Lease of who sees to the Gateways of a revision.
fn lease_of(revision: &str) -> String {
    match revision {
        DEFAULT_REVISION => LEASE.to_owned(),
        other => format!("{LEASE}-{other}"),
    }
}

/// The Lease of who sees to the Gateways of the default revision; others' bear their name behind
/// it.
const LEASE: &str = "waypoint-controller";
/// The Lease of who does what controllers of all revisions have in common.
const MESH_LEASE: &str = "waypoint-leader";
/// The revision of objects that name none.
pub const DEFAULT_REVISION: &str = "default";
