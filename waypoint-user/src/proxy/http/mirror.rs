//! Copies of requests, whose answers nobody waits for (Gateway API `HTTPRequestMirrorFilter`).
//!
//! A copy has the head of the request that was sent on, and goes to one endpoint, once.
//!
//! **Invariant:** whatever becomes of a copy, the request itself does not notice.
//! **Invariant:** a worker has at most [`MIRRORS_MAX`] copies under way.

use std::{
    cell::Cell,
    future::poll_fn,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use http::{HeaderMap, Request};
use tokio::time::timeout;

use crate::{
    mesh::request::Peer,
    proxy::{
        limits::{MIRROR_TIMEOUT, MIRRORS_MAX},
        respond::Fault,
        view::Cluster,
        worker::Worker,
    },
    route::Edits,
    telemetry::{metrics::Registry, task},
};

use super::{
    RequestBody,
    forward::{Answered, Trail, Version},
    outgoing::Outgoing,
    tries::{Course, send},
};

/// What became of copies, of all workers.
#[derive(Debug, Default)]
pub(in crate::proxy) struct MirrorCounts {
    answered: AtomicU64,
    failed: AtomicU64,
    left_out: AtomicU64,
}

impl MirrorCounts {
    /// Counts that are exported.
    pub(in crate::proxy) fn register(registry: &Registry) -> Arc<Self> {
        let counts = Arc::new(Self::default());
        let read = Arc::clone(&counts);
        let help = "Copies of requests for mirrors, by what became of them.";
        registry.counter_source("waypoint_mirrored_requests_total", help, "result", move || {
            let number = |count: &AtomicU64| count.load(Ordering::Relaxed);
            vec![
                ("answered".to_owned(), number(&read.answered)),
                ("failed".to_owned(), number(&read.failed)),
                ("left_out".to_owned(), number(&read.left_out)),
            ]
        });
        counts
    }
}

/// The copies that a worker has under way.
#[derive(Debug)]
pub(in crate::proxy) struct Mirrors {
    under_way: Cell<usize>,
    counts: Arc<MirrorCounts>,
}

impl Mirrors {
    /// None yet.
    pub(in crate::proxy) fn new(counts: Arc<MirrorCounts>) -> Self {
        Self { under_way: Cell::new(0), counts }
    }
}

/// Sends copies of a request on their way.
pub(super) fn send_copies(
    (worker, peer): (&Rc<Worker>, &Peer),
    clusters: &[Rc<Cluster>],
    outgoing: &Outgoing,
    edits: &Edits<'_>,
    learn: &dyn Fn(&mut HeaderMap),
) {
    for cluster in clusters {
        let mirrors = &worker.mirrors;
        if mirrors.under_way.get() >= MIRRORS_MAX {
            mirrors.counts.left_out.fetch_add(1, Ordering::Relaxed);
            worker.limits.mirrors.hit();
            continue;
        }
        mirrors.under_way.set(mirrors.under_way.get() + 1);
        let version = outgoing.version_for(cluster.protocol);
        let request = outgoing.copy().build(version, edits, learn);
        let copy = Copied { worker: Rc::clone(worker), peer: peer.clone(), version };
        task::spawn_local("mirror", copy.send(Rc::clone(cluster), request));
    }
}

/// A copy that is under way.
struct Copied {
    worker: Rc<Worker>,
    peer: Peer,
    version: Version,
}

impl Copied {
    /// Sends the copy, and waits for the end of its answer.
    async fn send(self, cluster: Rc<Cluster>, request: Request<RequestBody>) {
        let course = Course::once(&self.worker, &cluster, self.version);
        let trail = Trail { peer: &self.peer, record: None };
        let sent = timeout(MIRROR_TIMEOUT, async {
            let mut answered = send(&course, request, trail).await?;
            read_away(&mut answered).await.map(|()| answered)
        });
        let counts = &self.worker.mirrors.counts;
        match sent.await {
            Ok(Ok(answered)) => {
                counts.answered.fetch_add(1, Ordering::Relaxed);
                answered.carrier.keep(&self.worker);
            }
            Ok(Err(fault)) => {
                tracing::debug!(%fault, "a mirror did not answer");
                counts.failed.fetch_add(1, Ordering::Relaxed);
            }
            Err(_) => {
                counts.failed.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        let under_way = &self.worker.mirrors.under_way;
        under_way.set(under_way.get().saturating_sub(1));
    }
}

/// Reads an answer to its end, so that its connection can be used again.
async fn read_away(answered: &mut Answered) -> Result<(), Fault> {
    let body = answered.response.body_mut();
    while !body.is_end_stream() {
        match poll_fn(|cx| body.poll_frame(cx)).await {
            Some(Ok(_)) => {}
            Some(Err(_)) => return Err(Fault::UpstreamCut),
            None => break,
        }
    }
    Ok(())
}
