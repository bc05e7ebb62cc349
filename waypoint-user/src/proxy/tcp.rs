//! Opaque TCP: judged once, balanced once, copied both ways.
//!
//! **Invariant:** a change of the mesh ends a connection only when its policies now deny it.

use std::{cell::Cell, rc::Rc, sync::Arc};

use bytes::Bytes;
use tokio::time::Instant;

use crate::{
    mesh::{request::Peer, traffic_policy::Timeouts, workload::Workload},
    policy::{Subject, Verdict},
    route::{ConnectionChoice, ConnectionRules},
    telemetry::{
        access::Entry,
        metrics::traffic::{Meter, NO_FLAG, Protocol, ServiceLabels},
    },
};

use self::{
    copy::{Ended, copy_both},
    times::Times,
};
use super::{
    connection::Connection,
    hello,
    lease::Lease,
    record::describe,
    regime::Outcome,
    respond::Fault,
    stream::Stream,
    view::{Cluster, Endpoint, Held, InFlight, Target, View},
    way::Way,
    worker::Worker,
};

pub(super) mod copy;
mod times;

/// Serves a connection to its end.
pub(super) async fn serve(connection: Rc<Connection>, mut client: Stream, first: Bytes) {
    let mut session = Session::new(&connection);
    let (first, name) = session.name(&mut client, first).await;
    let reached = match name {
        Ok(name) => session.reach(name.as_deref()).await,
        Err(fault) => Err(fault),
    };
    match reached {
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
    times: Times,
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
            times: Times::new(Timeouts::default()),
            received: Cell::default(),
            sent: Cell::default(),
            reached: false,
            told: false,
        }
    }

    /// The server that the connection asks for, where routes go by it, and what was read of the
    /// connection.
    async fn name(
        &mut self,
        client: &mut Stream,
        first: Bytes,
    ) -> (Bytes, Result<Option<String>, Fault>) {
        let connection = Rc::clone(&self.connection);
        match self.is_by_name(&connection.worker.view()) {
            Ok(true) => {}
            Ok(false) => return (first, Ok(None)),
            Err(fault) => return (first, Err(fault)),
        }
        let read = Box::pin(hello::read(client, first));
        let (first, name) = tokio::select! {
            read = read => read,
            fault = self.lease.revoked() => return (Bytes::new(), Err(fault)),
        };
        if name.as_ref().is_err_and(|why| why.is_limit()) {
            connection.worker.limits.client_hello.hit();
        }
        (first, name.map(Some).map_err(Fault::Unnamed))
    }

    /// Judges the connection and connects it to an endpoint; `name` is the server that it asks for.
    pub(super) async fn reach(&mut self, name: Option<&str>) -> Result<Upstream, Fault> {
        let connection = Rc::clone(&self.connection);
        // A view is held no longer than it takes to decide, so that old Snapshots go away.
        let endpoint = self.choose(&connection.worker.view(), name).await?;
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
            fault = self.over() => Some(fault),
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

    /// Waits until its time is over, or nothing has moved on it for too long.
    pub(super) async fn over(&self) -> Fault {
        self.times.over(self.connection.began).await
    }

    /// Forgets it, as it turned out to be something else, of which others tell.
    pub(super) fn forget(mut self) {
        self.told = true;
    }

    /// Whether it has to be known which server the connection asks for; one that is denied is not
    /// read for that.
    fn is_by_name(&mut self, view: &View) -> Result<bool, Fault> {
        let connection = Rc::clone(&self.connection);
        let target = connection.target(view);
        let rules = target.as_ref().and_then(|one| one.connection_rules(self.peer.namespace()));
        if !rules.is_some_and(ConnectionRules::is_by_name) {
            return Ok(false);
        }
        self.judge(view).map(|_| true)
    }

    /// What is addressed, if the policies allow it.
    fn judge(&mut self, view: &View) -> Result<Rc<Target>, Fault> {
        let target = self.connection.target(view);
        describe(&mut self.entry, &self.peer, target.as_deref());
        let target = target.ok_or(Fault::UnknownDestination)?;
        self.labels = Rc::clone(&target.labels);
        let destination = self.connection.local;
        let subject = Subject { peer: &self.peer, destination, head: None };
        match target.policies.judge(&subject) {
            Verdict::Deny { rule } => Err(Fault::Denied(rule)),
            Verdict::Allow => Ok(target),
        }
    }

    /// Judges the connection and chooses its endpoint.
    async fn choose(&mut self, view: &View, name: Option<&str>) -> Result<Endpoint, Fault> {
        let target = self.judge(view)?;
        let dialled = self.connection.local;
        let cluster = self.route(view, &target, name)?;
        let cluster = view.settled(cluster, dialled).await;
        let cluster_name = format!("inbound-vip|{}|tcp|{}", cluster.port, cluster.host);
        self.entry.upstream_cluster = Some(cluster_name.into());
        let worker = &self.connection.worker;
        let endpoint =
            cluster.choose(&[], &mut |bound| worker.dice(bound)).ok_or(Fault::NoEndpoint)?;
        self.workload.clone_from(&endpoint.workload);
        self.entry.upstream_host = Some(endpoint.address);
        Ok(endpoint.clone())
    }

    /// Where the connection goes: what its routes choose, or the target itself. Routes by name that
    /// came after nobody had asked for one do not count.
    fn route(
        &mut self,
        view: &View,
        target: &Target,
        name: Option<&str>,
    ) -> Result<Rc<Cluster>, Fault> {
        let (connection, dialled) = (&self.connection, self.connection.local);
        let rules = target.connection_rules(self.peer.namespace());
        let rules = rules.filter(|rules| name.is_some() || !rules.is_by_name());
        let Some(rules) = rules else {
            self.times = Times::new(view.times(target, None));
            return Ok(view.default_cluster(target, dialled));
        };
        match rules.choose(name, &mut |bound| connection.worker.dice(bound)) {
            ConnectionChoice::NoMatch => {
                Err(Fault::NoSuchServer(name.unwrap_or_default().to_owned()))
            }
            ConnectionChoice::Unroutable { rule, reason } => {
                self.entry.route_name = Some(Arc::clone(&rule.label));
                self.entry.upstream_cluster = Some(NOWHERE.into());
                Err(Fault::NoBackend(reason.to_owned()))
            }
            ConnectionChoice::Forward { rule, service, port } => {
                self.entry.route_name = Some(Arc::clone(&rule.label));
                self.times = Times::new(view.times(target, Some(rule)));
                view.cluster(service, port, dialled).ok_or_else(|| {
                    let reason = format!("there is no Service {service} with port {port}");
                    Fault::NoBackend(reason)
                })
            }
        }
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
        self.entry.destination_workload.clone_from(&self.workload);
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
        self.session.times.moved();
        self.session.received.set(self.session.received.get() + bytes);
        self.meter.received(bytes);
    }

    fn sent_back(&self, bytes: u64) {
        self.session.times.moved();
        self.session.sent.set(self.session.sent.get() + bytes);
        self.meter.sent(bytes);
    }
}

/// How Istio names the cluster of routes that lead nowhere.
const NOWHERE: &str = "BlackHoleCluster";
