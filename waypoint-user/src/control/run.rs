//! The controller's work, for a term of its leadership.
//!
//! It decides nothing: each part of it has its own desk.

use std::sync::Arc;

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
    telemetry::{metrics::Registry, task},
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
    let lease = ClusterLease::new(client.clone(), ObjectName::new(&settings.namespace, LEASE));
    let identity = settings.identity.clone();
    let writer = Writer::new(client.clone(), registry);
    let status = Status::new(client.clone(), STATUS_PORT, registry);
    let settings = Arc::new(settings);
    let tools = Tools { client, writer, events, status, settings, sources };
    let led = Arc::new(watch::Sender::new(false));
    export(led.subscribe(), registry);
    let posting = post_events(post, &shutdown);
    let work = |ends| term(tools.clone(), ends);
    Box::pin(leader::lead(lease, identity, led, shutdown, work)).await;
    // A task that panicked was logged when it did.
    let _ = posting.await;
}

/// The work of one term.
async fn term(tools: Tools, ends: CancellationToken) {
    let Sources { objects, authority, states, .. } = tools.sources.clone();
    let spread = authority::spread(tools.client.clone(), tools.writer.clone(), objects, authority);
    let status = tools.status.clone().run(states, ends.clone());
    let spread = ends.clone().run_until_cancelled_owned(spread);
    tokio::join!(spread, status, gateway::run(tools, ends));
}

/// Takes Events to the API server in the background.
fn post_events(post: Post, shutdown: &CancellationToken) -> JoinHandle<()> {
    task::spawn("events", post.run(shutdown.clone()))
}

/// Exports whether this process leads.
fn export(led: watch::Receiver<bool>, registry: &Registry) {
    let help = "Whether this controller is the one that writes to the cluster.";
    registry.gauge_source("waypoint_controller_leader", help, "lease", move || {
        vec![(LEASE.to_owned(), u64::from(*led.borrow()))]
    });
}

/// The name of the leader's Lease.
const LEASE: &str = "waypoint-controller";
/// The revision of objects that name none.
pub const DEFAULT_REVISION: &str = "default";
