//! The ways to endpoints that a worker remembers, so that a request makes none anew.
//!
//! **Invariant:** a way is remembered for one version of its workload; a pod that got another
//! identity or transport has another way.

use std::{cell::RefCell, collections::HashMap, net::SocketAddr, sync::Arc};

use crate::mesh::{
    request::Peer,
    spiffe::SpiffeId,
    workload::{Transport, Workload},
};

use super::{limits::WAYS_MAX, view::Endpoint, way::Way};

/// Ways by endpoint and by who asks.
#[derive(Default)]
pub(super) struct Ways(RefCell<HashMap<Question, Remembered>>);

/// What a way depends on.
#[derive(Eq, PartialEq, Hash)]
struct Question {
    address: SocketAddr,
    /// The workload by where it is in memory: it never changes, and stays there as long as its way
    /// is remembered.
    workload: *const Workload,
    client: Option<Arc<SpiffeId>>,
}

/// A way, and what keeps its question valid.
struct Remembered {
    way: Way,
    _workload: Arc<Workload>,
}

impl Ways {
    /// The way to an endpoint for what a peer asks: by TCP where we have no identity or the
    /// endpoint speaks no HBONE, else by HBONE as `source`.
    pub(super) fn to(
        &self,
        endpoint: &Endpoint,
        source: Option<&Arc<SpiffeId>>,
        peer: &Peer,
    ) -> Way {
        let by_hbone = endpoint.workload.as_ref().filter(|pod| pod.transport == Transport::Hbone);
        let (Some(source), Some(workload)) = (source, by_hbone) else {
            return Way::Plain(endpoint.address);
        };
        let question = Question {
            address: endpoint.address,
            workload: Arc::as_ptr(workload),
            client: peer.identity.clone(),
        };
        if let Some(known) = self.0.borrow().get(&question) {
            return known.way.clone();
        }
        let way = Way::to(endpoint, Some(source), peer.identity.as_ref());
        let mut all = self.0.borrow_mut();
        if all.len() >= WAYS_MAX {
            all.clear();
        }
        let remembered = Remembered { way: way.clone(), _workload: Arc::clone(workload) };
        all.insert(question, remembered);
        way
    }

    /// Forgets all ways, as the mesh changed.
    pub(super) fn forget(&self) {
        self.0.borrow_mut().clear();
    }
}
