//! Opaque TCP: judged once, balanced once, copied both ways.
//!
//! **Invariant:** a change of the mesh ends a connection only when its policies now deny it.

use std::{cell::Cell, rc::Rc, sync::Arc};

use bytes::Bytes;
use tokio::time::Instant;

use crate::{
    mesh::{request::Peer, workload::Workload},
    policy::{Subject, Verdict},
    telemetry::{
        access::Entry,
        metrics::traffic::{Meter, NO_FLAG, Protocol, ServiceLabels},
    },
};

use self::copy::{Ended, copy_both};
use super::{
    connection::Connection,
    lease::Lease,
    record::describe,
    regime::Outcome,
    respond::Fault,
    stream::Stream,
    view::{Endpoint, Held, InFlight, View},
    way::Way,
    worker::Worker,
};

pub(super) mod copy;

/// Serves a connection to its end.
pub(super) async fn serve(connection: Rc<Connection>, mut client: Stream, first: Bytes) {
    let mut session = Session::new(&connection);
    match session.reach().await {
        Ok(upstream) => session.relay(client, upstream, first).await,
        Err(fault) => {
            client.reset_on_drop();
            session.finish(Some(&fault));
        }
    }
}

/// An opaque connection: what it is allowed, and what is told of it when it ends.
pub(super) struct Session {
    connection: Rc<Connection>,
    peer: Peer,
    lease: Rc<Lease>,
    entry: Box<Entry>,
    labels: Rc<ServiceLabels>,
    workload: Option<Arc<Workload>>,
    received: Cell<u64>,
    sent: Cell<u64>,
    reached: bool,
    told: bool,
}

/// A connection to an endpoint.
pub(super) struct Upstream {
    pub(super) stream: Stream,
    _in_flight: InFlight,
    _held: Option<Held>,
}

impl Session {
    /// A connection that is judged again from now on, whenever the mesh changes.
    pub(super) fn new(connection: &Rc<Connection>) -> Self {
        let peer = connection.peer(&connection.worker.view());
        let lease = Lease::new(peer.clone(), connection.local, None);
        Self {
            connection: Rc::clone(connection),
            entry: Box::new(Entry::new(connection.start, connection.remote, connection.local)),
            lease: connection.worker.leases.grant(lease),
            peer,
            labels: Rc::default(),
            workload: None,
            received: Cell::default(),
            sent: Cell::default(),
            reached: false,
            told: false,
        }
    }

    /// Judges the connection and connects it to an endpoint.
    pub(super) async fn reach(&mut self) -> Result<Upstream, Fault> {
        let connection = Rc::clone(&self.connection);
        // A view is held no longer than it takes to decide, so that old Snapshots go away.
        let endpoint = self.choose(&connection, &connection.worker.view()).await?;
        let in_flight = endpoint.begin();
        let way = connection.worker.way(&endpoint, &self.peer);
        let began = Instant::now();
        let dialled = dial(&endpoint, &way, &connection.worker).await;
        let outcome = if dialled.is_ok() { Outcome::Good } else { Outcome::FailedAsGateway };
        if !matches!(dialled, Err(Fault::Overflow)) {
            endpoint.answered(outcome, began);
        }
        let (stream, held) = dialled?;
        self.entry.upstream_local_address = stream.local_addr();
        self.reached = true;
        Ok(Upstream { stream, _in_flight: in_flight, _held: held })
    }

    /// Copies both ways until both have ended, and tells of it.
    pub(super) async fn relay(self, mut client: Stream, mut upstream: Upstream, first: Bytes) {
        let meter = self.meter();
        meter.opened();
        let counted = Counted { session: &self, meter: &meter };
        let fault = tokio::select! {
            ended = copy_both(&mut client, &mut upstream.stream, first, &counted) => match ended {
                Ended::Both => None,
                Ended::ClientReset => Some(Fault::ClientGone),
                Ended::UpstreamReset => Some(Fault::UpstreamCut),
            },
            fault = self.lease.revoked() => Some(fault),
        };
        if fault.is_some() {
            client.reset_on_drop();
            upstream.stream.reset_on_drop();
        }
        self.finish(fault.as_ref());
    }

    /// Waits until the policies deny it.
    pub(super) async fn revoked(&self) -> Fault {
        self.lease.revoked().await
    }

    /// Forgets it, as it turned out to be something else, of which others tell.
    pub(super) fn forget(mut self) {
        self.told = true;
    }

    /// Judges the connection and chooses its endpoint.
    async fn choose(&mut self, connection: &Connection, view: &View) -> Result<Endpoint, Fault> {
        let target = connection.target(view);
        describe(&mut self.entry, &self.peer, target.as_deref());
        let target = target.ok_or(Fault::UnknownDestination)?;
        self.labels = Rc::clone(&target.labels);
        let subject = Subject { peer: &self.peer, destination: connection.local, head: None };
        if let Verdict::Deny { rule } = target.policies.judge(&subject) {
            return Err(Fault::Denied(rule));
        }
        let cluster = view.default_cluster(&target, connection.local);
        let cluster = view.settled(cluster, connection.local).await;
        let cluster_name = format!("inbound-vip|{}|tcp|{}", cluster.port, cluster.host);
        self.entry.upstream_cluster = Some(cluster_name.into());
        let worker = &connection.worker;
        let endpoint =
            cluster.choose(&[], &mut |bound| worker.dice(bound)).ok_or(Fault::NoEndpoint)?;
        self.workload.clone_from(&endpoint.workload);
        self.entry.upstream_host = Some(endpoint.address);
        Ok(endpoint.clone())
    }

    fn meter(&self) -> Rc<Meter> {
        let workload = self.workload.as_ref();
        self.connection.meters.meter(&self.peer, &self.labels, workload, Protocol::Tcp)
    }

    /// Tells how the connection ended.
    pub(super) fn finish(mut self, fault: Option<&Fault>) {
        self.tell(fault);
    }

    fn tell(&mut self, fault: Option<&Fault>) {
        if std::mem::replace(&mut self.told, true) {
            return;
        }
        let flag = fault.map_or("", |fault| fault.row().flag);
        let flag = if flag.is_empty() { NO_FLAG } else { flag };
        let meter = self.meter();
        if !self.reached {
            meter.opened();
        }
        meter.closed(flag);
        self.entry.response_flags = Some(flag);
        self.entry.blame = fault.map(|fault| fault.row().blame.as_str());
        self.entry.connection_termination_details = fault.map(ToString::to_string);
        self.entry.upstream_transport_failure_reason = fault.and_then(Fault::transport_failure);
        self.entry.destination_workload = self.workload.clone();
        self.entry.bytes_received = self.received.get();
        self.entry.bytes_sent = self.sent.get();
        self.entry.duration = self.connection.began.elapsed();
        let log = &self.connection.worker.log;
        if log.is_on() {
            log.record(Box::new(self.entry.take()));
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.tell(Some(&Fault::Drained));
    }
}

/// Dials an endpoint, as far as one more connection may be.
async fn dial(
    endpoint: &Endpoint,
    way: &Way,
    worker: &Worker,
) -> Result<(Stream, Option<Held>), Fault> {
    let Some(bounds) = endpoint.bounds() else { return Ok((way.dial(worker).await?, None)) };
    let held = bounds.connection().ok_or(Fault::Overflow)?;
    Ok((bounds.connect(way.dial(worker)).await?, Some(held)))
}

/// Counts the bytes of a session as they are copied.
struct Counted<'a> {
    session: &'a Session,
    meter: &'a Meter,
}

impl copy::Count for Counted<'_> {
    fn sent_on(&self, bytes: u64) {
        self.session.received.set(self.session.received.get() + bytes);
        self.meter.received(bytes);
    }

    fn sent_back(&self, bytes: u64) {
        self.session.sent.set(self.session.sent.get() + bytes);
        self.meter.sent(bytes);
    }
}
