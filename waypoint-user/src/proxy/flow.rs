//! A connection that a node carries for one of its pods: its bytes, and what is told of it.
//!
//! **Invariant:** every connection is told exactly once, however it ends.

use std::{
    cell::{Cell, OnceCell},
    future::Future,
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
    time::SystemTime,
};

use bytes::Bytes;
use tokio::time::Instant;

use crate::{
    mesh::{object::ObjectName, snapshot::Snapshot, workload::Workload},
    telemetry::{
        access::{self, Direction, End},
        metrics::traffic::{
            Meter, NO_FLAG, Pair, Party, Protocol, Reporter, Security, ServiceLabels,
        },
    },
};

use super::{
    failure::Failure,
    stream::Stream,
    tcp::copy::{self, Ended, copy_both},
    view::View,
    worker::{Place, Worker},
};

/// A connection that is carried, or is about to be.
pub(super) struct Flow {
    /// What is logged of it.
    pub(super) line: Box<access::Flow>,
    /// What guards it on its way between nodes.
    pub(super) security: Security,
    /// How metrics name the Service that was addressed.
    pub(super) labels: ServiceLabels,
    source: Option<Arc<Workload>>,
    destination: Option<Arc<Workload>>,
    worker: Rc<Worker>,
    began: Instant,
    received: Cell<u64>,
    sent: Cell<u64>,
    meter: OnceCell<Meter>,
    told: bool,
    _place: Option<Place>,
}

impl Flow {
    /// A connection that was just accepted; it keeps its place until it was told of.
    pub(super) fn new(
        worker: &Rc<Worker>,
        direction: Direction,
        (source, destination): (SocketAddr, SocketAddr),
        place: Option<Place>,
    ) -> Self {
        let line = access::Flow::new(SystemTime::now(), direction, source, destination);
        Self {
            line: Box::new(line),
            security: Security::Unknown,
            labels: ServiceLabels::default(),
            source: None,
            destination: None,
            worker: Rc::clone(worker),
            began: Instant::now(),
            received: Cell::default(),
            sent: Cell::default(),
            meter: OnceCell::new(),
            told: false,
            _place: place,
        }
    }

    /// Notes the client's pod.
    pub(super) fn from(&mut self, pod: Option<&Arc<Workload>>) {
        name(&mut self.line.source, pod);
        self.source = pod.cloned();
    }

    /// Notes the pod that takes it.
    pub(super) fn to(&mut self, pod: Option<&Arc<Workload>>) {
        name(&mut self.line.destination, pod);
        self.destination = pod.cloned();
    }

    /// Notes the Service that was addressed.
    pub(super) fn addressed(&mut self, service: &ObjectName, snapshot: &Snapshot) {
        if let Some(service) = snapshot.services().get(service) {
            let labels = ServiceLabels::of(service, &snapshot.settings().cluster_domain);
            self.line.service = Some(labels.host.clone());
            self.labels = labels;
        }
    }

    /// Copies both ways until both have ended, or until `broken` says why it must end.
    pub(super) async fn relay(
        mut self,
        (mut client, mut upstream): (Stream, Stream),
        broken: impl Future<Output = Failure>,
    ) {
        self.line.opened = true;
        self.meter().opened();
        let failure = tokio::select! {
            biased;
            // This comes first, because what it knows of may look like a reset from here.
            failure = broken => Some(failure),
            ended = copy_both(&mut client, &mut upstream, Bytes::new(), &self) => match ended {
                Ended::Both => None,
                Ended::ClientReset => Some(Failure::ClientReset),
                Ended::UpstreamReset => Some(Failure::DestinationReset),
            },
        };
        if failure.is_some() {
            client.reset_on_drop();
            upstream.reset_on_drop();
        }
        self.tell(failure.as_ref());
    }

    /// Tells nothing of it, as somebody else does.
    pub(super) fn forget(mut self) {
        self.told = true;
    }

    /// Tells that it did not come about.
    pub(super) fn fail(mut self, failure: &Failure) {
        self.tell(Some(failure));
    }

    fn meter(&self) -> &Meter {
        self.meter.get_or_init(|| {
            let party = |pod: &Option<Arc<Workload>>| {
                pod.as_ref().map(|pod| Party::of(pod)).unwrap_or_default()
            };
            self.worker.shard.meter(Pair {
                reporter: match self.line.direction {
                    Direction::Inbound => Reporter::Destination,
                    Direction::Outbound => Reporter::Source,
                },
                security: self.security,
                source: party(&self.source),
                destination: party(&self.destination),
                service: self.labels.clone(),
                protocol: Protocol::Tcp,
            })
        })
    }

    fn tell(&mut self, failure: Option<&Failure>) {
        if std::mem::replace(&mut self.told, true) {
            return;
        }
        let flag = failure.map_or(NO_FLAG, Failure::flag);
        if self.line.opened {
            self.meter().closed(flag);
        } else {
            self.meter().failed(flag);
        }
        let line = &mut self.line;
        line.response_flags = failure.map(Failure::flag);
        line.error = failure.map(ToString::to_string).or(line.error.take());
        line.bytes_received = self.received.get();
        line.bytes_sent = self.sent.get();
        line.duration = self.began.elapsed();
        self.worker.log.record_flow(line.clone());
    }
}

impl copy::Count for Flow {
    fn sent_on(&self, bytes: u64) {
        self.received.set(self.received.get() + bytes);
        self.meter().received(bytes);
    }

    fn sent_back(&self, bytes: u64) {
        self.sent.set(self.sent.get() + bytes);
        self.meter().sent(bytes);
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.tell(Some(&Failure::Drained));
    }
}

/// Waits until a change of the mesh breaks what holds now; never ends when nothing does.
pub(super) async fn broken(worker: &Rc<Worker>, why: impl Fn(&View) -> Option<Failure>) -> Failure {
    let mut changes = worker.changes();
    loop {
        if let Some(failure) = why(&worker.view()) {
            return failure;
        }
        if changes.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}

/// Whether a pod is still the one that it was.
pub(super) fn is_there(pod: &Workload, view: &View) -> bool {
    view.snapshot().workloads().get(&pod.name).is_some_and(|now| now.uid == pod.uid)
}

/// Notes the pod at an end.
fn name(end: &mut End, pod: Option<&Arc<Workload>>) {
    end.workload = pod.map(|pod| (pod.name.name.clone(), pod.name.namespace.clone()));
}
