//! Who the ends of a connection are, and which way it went.
//!
//! **Invariant:** a connection that the engine carries is counted by the engine alone.

use std::{sync::Arc, time::SystemTime};

use tokio::sync::watch;
use waypoint_common::redirect::TUNNEL_PORT;

use crate::{
    mesh::{
        binding::Binding,
        flow::{Flow, Stage},
        service::Service,
        snapshot::Snapshot,
        workload::{Enrolment, Workload},
    },
    select::{self, Capture},
    telemetry::{
        flows::{End, Hub, Observed, Path},
        metrics::{
            Registry,
            traffic::{NO_FLAG, Pair, Party, Protocol, Reporter, Security, ServiceLabels, Shard},
        },
    },
};

/// Describes connections by the Snapshot in force.
pub(super) struct Describe {
    snapshots: watch::Receiver<Arc<Snapshot>>,
    shard: Arc<Shard>,
}

/// The ends of a connection, as the mesh knows them.
struct Ends<'s> {
    source: Option<&'s Arc<Workload>>,
    destination: Option<&'s Arc<Workload>>,
    service: Option<&'s Arc<Service>>,
}

impl Describe {
    /// By these Snapshots, counting in a share of the registry.
    pub(super) fn new(snapshots: watch::Receiver<Arc<Snapshot>>, registry: &Registry) -> Self {
        Self { snapshots, shard: registry.shard() }
    }

    /// Counts a connection that nobody carries, and shows every one to whoever looks.
    pub(super) fn tell(&self, flow: &Flow, hub: &Hub) {
        if [flow.local.port(), flow.remote.port()].contains(&TUNNEL_PORT) {
            // The agent's own, from a pod's network: what it carries was told of already.
            return;
        }
        let snapshot = Arc::clone(&self.snapshots.borrow());
        let ends = Ends::of(flow, &snapshot);
        let path = ends.path(flow, &snapshot);
        if matches!(path, Path::Direct | Path::Bypass(_)) {
            self.count(flow, &ends, &snapshot);
        }
        if hub.is_watched() {
            hub.tell(ends.observed(flow, path));
        }
    }

    /// Counts in Istio's metrics of connections.
    fn count(&self, flow: &Flow, ends: &Ends<'_>, snapshot: &Snapshot) {
        let party = |workload: Option<&Arc<Workload>>| {
            workload.map(|workload| Party::of(workload)).unwrap_or_default()
        };
        let domain = &snapshot.settings().cluster_domain;
        let meter = self.shard.meter(Pair {
            reporter: if flow.initiated { Reporter::Source } else { Reporter::Destination },
            security: Security::None,
            source: party(ends.source),
            destination: party(ends.destination),
            service: ends.service.map(|one| ServiceLabels::of(one, domain)).unwrap_or_default(),
            protocol: Protocol::Tcp,
        });
        match flow.stage {
            Stage::Opened => meter.opened(),
            Stage::Closed => {
                let (to_client, from_client) = if flow.initiated {
                    (flow.received, flow.sent)
                } else {
                    (flow.sent, flow.received)
                };
                meter.sent(to_client);
                meter.received(from_client);
                meter.closed(NO_FLAG);
            }
        }
    }
}

impl<'s> Ends<'s> {
    /// Looks both ends up.
    fn of(flow: &Flow, snapshot: &'s Snapshot) -> Self {
        let local = snapshot.workload_of_address(flow.local.ip());
        let remote = snapshot.workload_of_address(flow.remote.ip());
        if flow.initiated {
            let service = snapshot.service_of_vip(flow.remote.ip());
            return Self { source: local, destination: remote, service };
        }
        Self { source: remote, destination: local, service: None }
    }

    /// Which way the connection went.
    fn path(&self, flow: &Flow, snapshot: &Snapshot) -> Path {
        if flow.initiated {
            return match self.capture(snapshot) {
                Capture::Yes(Some(waypoint)) => Path::Waypoint(waypoint.to_string()),
                Capture::Yes(None) => Path::Tunnel,
                Capture::No | Capture::Refuse(_) => Path::Direct,
            };
        }
        if self.source.is_some_and(|source| source.instance_of.is_some()) {
            return Path::FromWaypoint;
        }
        if let (Some(source), Some(destination)) = (self.source, self.destination)
            && source.enrolment == Enrolment::Enrolled
            && select::captures_workload(snapshot, destination) == Capture::Yes(None)
        {
            return Path::Tunnel;
        }
        match self.destination.map(|destination| &destination.binding) {
            Some(Binding::Bound(waypoint)) => Path::Bypass(waypoint.to_string()),
            _ => Path::Direct,
        }
    }

    /// Whether the connection that a pod opened is captured.
    fn capture(&self, snapshot: &Snapshot) -> Capture<'s> {
        match (self.service, self.destination) {
            (Some(service), _) => select::captures_service(snapshot, service),
            (None, Some(workload)) => select::captures_workload(snapshot, workload),
            (None, None) => Capture::No,
        }
    }

    /// What is shown.
    fn observed(&self, flow: &Flow, path: Path) -> Observed {
        let (source, destination) =
            if flow.initiated { (flow.local, flow.remote) } else { (flow.remote, flow.local) };
        let pod = |workload: Option<&Arc<Workload>>| workload.map(|one| one.name.clone());
        Observed {
            time: SystemTime::now(),
            stage: flow.stage,
            initiated: flow.initiated,
            source: End { address: source, pod: pod(self.source), service: None },
            destination: End {
                address: destination,
                pod: pod(self.destination),
                service: self.service.map(|service| service.name.clone()),
            },
            path,
            duration: flow.duration,
            sent: flow.sent,
            received: flow.received,
            round_trip: flow.round_trip,
            retransmissions: flow.retransmissions,
        }
    }
}
