//! Who is on a connection, and the counters of the pairs of parties that meet on it.

use std::{cell::RefCell, net::SocketAddr, rc::Rc, sync::Arc};

use crate::{
    mesh::{
        request::{Origin, Peer},
        snapshot::Snapshot,
        workload::Workload,
    },
    telemetry::metrics::traffic::{
        Meter, Pair, Party, Protocol, Reporter, Security, ServiceLabels, Shard,
    },
};

use super::limits::METERS_MAX;

/// The peer that the kernel, or a tunnel, says a connection is from.
pub(super) fn identify(address: SocketAddr, origin: &Origin, snapshot: &Snapshot) -> Peer {
    let by_address = || snapshot.workload_of_address(address.ip()).cloned();
    let (workload, identity) = match origin {
        Origin::Pod(name) => {
            let workload = snapshot.workloads().get(name).cloned();
            let identity = workload.as_ref().map(|workload| Arc::clone(&workload.identity));
            (workload, identity)
        }
        Origin::Tunnel(identity) => {
            let workload = by_address().filter(|workload| workload.identity == *identity);
            (workload, Some(Arc::clone(identity)))
        }
        Origin::Probe | Origin::Unknown => (None, None),
    };
    Peer { address, identity, client: None, workload }
}

/// The counters of one connection's pairs of parties.
pub(super) struct Meters {
    shard: Arc<Shard>,
    security: Security,
    known: RefCell<Vec<Known>>,
}

impl Meters {
    /// No counters yet, of a connection that came from there.
    pub(super) fn new(shard: Arc<Shard>, origin: &Origin) -> Self {
        let security = match origin {
            Origin::Tunnel(_) => Security::MutualTls,
            // Nothing is encrypted between a pod and the process on its own node.
            Origin::Pod(_) | Origin::Probe | Origin::Unknown => Security::None,
        };
        Self { shard, security, known: RefCell::default() }
    }

    /// The counters of a pair, which labels are made for only once.
    pub(super) fn meter(
        &self,
        peer: &Peer,
        service: &Rc<ServiceLabels>,
        workload: Option<&Arc<Workload>>,
        protocol: Protocol,
    ) -> Rc<Meter> {
        let mut known = self.known.borrow_mut();
        let same = |one: &&Known| {
            one.protocol == protocol
                && Rc::ptr_eq(&one.service, service)
                && one.workload.as_ref().map(Arc::as_ptr) == workload.map(Arc::as_ptr)
        };
        if let Some(found) = known.iter().find(same) {
            return Rc::clone(&found.meter);
        }
        if known.len() >= METERS_MAX {
            known.clear();
        }
        let meter = Rc::new(self.shard.meter(Pair {
            reporter: Reporter::Waypoint,
            security: self.security,
            source: source(peer),
            destination: workload.map(|workload| Party::of(workload)).unwrap_or_default(),
            service: ServiceLabels::clone(service),
            protocol,
        }));
        known.push(Known {
            service: Rc::clone(service),
            workload: workload.cloned(),
            protocol,
            meter: Rc::clone(&meter),
        });
        meter
    }
}

/// Who asks, as labels; of a peer whose pod is not known, what its identity tells.
fn source(peer: &Peer) -> Party {
    match (&peer.workload, &peer.identity) {
        (Some(workload), _) => Party::of(workload),
        (None, Some(identity)) => Party {
            principal: identity.to_string(),
            workload_namespace: identity.namespace.clone(),
            ..Party::default()
        },
        (None, None) => Party::default(),
    }
}

/// A pair that was met before.
struct Known {
    service: Rc<ServiceLabels>,
    workload: Option<Arc<Workload>>,
    protocol: Protocol,
    meter: Rc<Meter>,
}
