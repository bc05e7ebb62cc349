//! A waypoint as a process of its own, in a pod of its own: HBONE in, from the network and from the
//! agent of its node, and HBONE or plain TCP out.
//!
//! It decides nothing, and needs no privileges.
//!
//! **Invariant:** the process says that it is ready only when it can prove who it is and takes
//! connections.
//! **Invariant:** its certificate is renewed until the last connection has ended.

mod served;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    identity::{self, Identities, Issuer},
    mesh::{object::ObjectName, request::Origin, snapshot::Snapshot, spiffe::SpiffeId},
    proxy::{self, Doors, Duty, Engine, OwnNetwork, Surroundings, listen},
    sync,
    telemetry::{
        admin::{self, Addresses, Content},
        applied, flows,
        logging::LogLevel,
        metrics::Registry,
        readiness::{Gate, Readiness},
        task,
        traces::{self, Whose},
    },
};

use super::{
    Error,
    applied::Applied,
    explanations::explanations,
    parts::{config_in_force, flush, start_telemetry},
};

/// What a waypoint needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the mesh comes from.
    pub sync: sync::Settings,
    /// How connections are handled; what it is there for and who it is are found out.
    pub proxy: proxy::Settings,
    /// The Gateway that it serves.
    pub gateway: ObjectName,
    /// The pod that it runs in, whose identity it has.
    pub pod: ObjectName,
    /// The ports that it takes connections at.
    pub ports: listen::Ports,
    /// How certificates are kept.
    pub identity: identity::Settings,
    /// Where operators look.
    pub admin: Addresses,
    /// Whether requests are logged on stdout.
    pub access_log: bool,
    /// How spans are sent, if they are.
    pub tracing: Option<traces::Settings>,
}

/// Runs until shutdown is asked for and everything has ended. `issuer` signs its certificates.
pub async fn run(
    config: Config,
    issuer: impl Issuer,
    level: LogLevel,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let (registry, readiness) = (Registry::new(), Readiness::new());
    let drained = CancellationToken::new();
    let feed = sync::watch(config.sync.clone(), shutdown.clone()).await?;
    feed.export(&registry);
    let doors = listen::waypoint_doors(&config.ports, config.proxy.workers)?;
    let traces = (config.tracing.as_ref(), whose(&config));
    let telemetry = start_telemetry(config.access_log, traces, &registry)?;
    let gate = readiness.gate("identity");
    let (publisher, applied) = applied::channel();
    let content = Content {
        registry: registry.clone(),
        readiness,
        level,
        applied: Some(applied),
        flows: Err(flows::NOT_HERE.to_owned()),
        config: config_in_force(&feed),
        questions: vec![explanations(&feed, None)],
    };
    // The admin endpoint is there before and after everything else, so that it can be watched.
    let admin = admin::serve(&config.admin, content, drained.clone())?;
    tracing::info!(admin = %admin.address, port = config.ports.hbone, "starting");
    let identities = Identities::start(config.identity.clone(), issuer, &registry, drained.clone());
    let told = telemetry.clone();
    let (snapshots, generation) = (feed.snapshots.clone(), feed.generation.clone());
    let parts = Parts { identities, telemetry: told, doors, publisher, snapshots, generation };
    let served = serve(config, parts, &gate, &shutdown).await;
    shutdown.cancel();
    flush(&telemetry).await;
    drained.cancel();
    for ended in [feed.follower, admin.ended] {
        // A task that panicked was logged when it did.
        let _ = ended.await;
    }
    served
}

/// How spans name a waypoint: as Istio does, by its Gateway.
fn whose(config: &Config) -> Whose {
    let gateway = &config.gateway;
    let service = format!("{}.{}", gateway.name, gateway.namespace);
    Whose { service, pod: Some(config.pod.clone()) }
}

/// What serving needs and was made before.
struct Parts {
    identities: Identities,
    telemetry: proxy::Telemetry,
    doors: Vec<Doors>,
    publisher: applied::Publisher,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    generation: watch::Receiver<u64>,
}

/// Finds out who the waypoint is, serves until shutdown is asked for, and drains.
async fn serve(
    config: Config,
    parts: Parts,
    gate: &Gate,
    shutdown: &CancellationToken,
) -> Result<(), Error> {
    let Parts { identities, telemetry, doors, publisher, snapshots, generation } = parts;
    let (registry, published) = (telemetry.registry.clone(), snapshots.clone());
    let found = identity_of(&config.pod, snapshots.clone(), gate);
    let Some(identity) = shutdown.run_until_cancelled(found).await else { return Ok(()) };
    identities.want(BTreeSet::from([Arc::clone(&identity)]));
    let settings = proxy::Settings {
        duty: Duty::Waypoint(config.gateway.clone()),
        pod: Some(config.pod),
        identity: Some(Arc::clone(&identity)),
        ..config.proxy
    };
    let surroundings = Surroundings {
        snapshots,
        doors,
        origins: Arc::new(|_| Origin::Unknown),
        network: Arc::new(OwnNetwork::default()),
        identities: Some(identities.clone()),
        telemetry,
    };
    let engine = Engine::start(settings, surroundings)?;
    Applied::new(generation, published, engine.in_force()).register(&registry);
    let told = served::tell(engine.in_force(), config.gateway, publisher, shutdown.clone());
    task::spawn("applied", told);
    let certified = first_certificate(&identities, &identity, gate);
    if shutdown.run_until_cancelled(certified).await.is_some() {
        shutdown.cancelled().await;
    }
    gate.close("draining");
    let counts = engine.drain().await;
    tracing::info!(finished = counts.finished, cut = counts.cut, "drained");
    Ok(())
}

/// The identity of a pod, as soon as the mesh has the pod.
async fn identity_of(
    pod: &ObjectName,
    mut snapshots: watch::Receiver<Arc<Snapshot>>,
    gate: &Gate,
) -> Arc<SpiffeId> {
    loop {
        let found = snapshots.borrow_and_update().workloads().get(pod).cloned();
        if let Some(workload) = found {
            return Arc::clone(&workload.identity);
        }
        gate.close(format!("there is no pod {pod}, or it has no address; see --pod"));
        if snapshots.changed().await.is_err() {
            // The source ends only with the process.
            return std::future::pending().await;
        }
    }
}

/// Waits until the waypoint can prove who it is.
async fn first_certificate(identities: &Identities, identity: &SpiffeId, gate: &Gate) {
    while let Err(cause) = identities.credentials(identity).await {
        gate.close(cause.to_string());
        tokio::time::sleep(CERTIFICATE_CHECK).await;
    }
    gate.open();
}

/// How long to wait between looks for the first certificate; asking for it has a pace of its own.
const CERTIFICATE_CHECK: Duration = Duration::from_millis(200);
