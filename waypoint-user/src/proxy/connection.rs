//! The life of one connection from a client, until it is known what it speaks.

use std::{net::SocketAddr, rc::Rc, time::SystemTime};

use ::http::Method;
use tokio::time::Instant;

use crate::{
    mesh::{
        request::{Origin, Peer},
        service::AppProtocol,
    },
    telemetry::{access::Entry, metrics::traffic::Protocol},
};

use super::{
    http::{self, Forwarded},
    peer::{Meters, identify},
    record::describe,
    respond::Fault,
    silence,
    sniff::{Sniffed, Spoken, sniff},
    stream::Stream,
    tcp,
    view::{Target, View},
    worker::{Place, Worker},
};

/// A connection from a client, as its requests know it.
pub(super) struct Connection {
    /// The worker that serves it.
    pub(super) worker: Rc<Worker>,
    /// The client.
    pub(super) remote: SocketAddr,
    /// What the client dialled.
    pub(super) local: SocketAddr,
    /// When it was accepted.
    pub(super) start: SystemTime,
    /// When it was accepted, to measure by.
    pub(super) began: Instant,
    /// The counters of the parties that meet on it.
    pub(super) meters: Meters,
    /// What endpoints learn of the client.
    pub(super) forwarded: Forwarded,
    origin: Origin,
    _place: Place,
}

impl Connection {
    /// A connection that was just accepted, and that keeps its place until nothing uses it any
    /// more.
    pub(super) fn new(
        place: Place,
        remote: SocketAddr,
        local: SocketAddr,
        origin: Origin,
    ) -> Rc<Self> {
        let worker = Rc::clone(place.worker());
        let meters = Meters::new(worker.shard.clone(), &origin);
        let forwarded = Forwarded::new(remote.ip());
        Rc::new(Self {
            worker,
            remote,
            local,
            start: SystemTime::now(),
            began: Instant::now(),
            meters,
            forwarded,
            origin,
            _place: place,
        })
    }

    /// Who opened it, as the mesh knows them now.
    pub(super) fn peer(&self, view: &View) -> Peer {
        identify(self.remote, &self.origin, view.snapshot())
    }

    /// Serves it to its end.
    pub(super) async fn serve(self: Rc<Self>, mut stream: Stream) {
        let view = self.worker.view();
        let Some(target) = view.target(self.local) else {
            stream.reset_on_drop();
            return self.refuse(&view, None);
        };
        let deadline = self.worker.settings.sniff_deadline;
        let sniffing = sniff(&mut stream, self.declared(&target, &view), deadline);
        let sniffed = tokio::select! {
            sniffed = sniffing => sniffed,
            // Nothing was asked, so nothing is lost.
            () = self.worker.drain_patience() => return,
        };
        let sniffed = match sniffed {
            Ok(sniffed) => sniffed,
            Err(cause) => {
                if cause.kind() == std::io::ErrorKind::TimedOut {
                    self.worker.limits.header_timeout.hit();
                }
                tracing::debug!(remote = %self.remote, %cause, "a connection ended unused");
                return;
            }
        };
        drop((view, target));
        if !sniffed.silent {
            self.hand_on(stream, sniffed).await;
        } else if let Some((stream, sniffed)) = Box::pin(silence::serve(&self, stream)).await {
            self.hand_on(stream, sniffed).await;
        }
    }

    /// What is spoken, as declared: where routes are for whole connections, nobody looks further.
    fn declared(&self, target: &Target, view: &View) -> AppProtocol {
        if target.connections.is_none() {
            return target.protocol;
        }
        let rules = target.connection_rules(self.peer(view).namespace());
        rules.map_or(target.protocol, |_| AppProtocol::Tcp)
    }

    /// Serves it as what it speaks. Boxed, so that each connection takes the room that it needs.
    async fn hand_on(self: Rc<Self>, stream: Stream, sniffed: Sniffed) {
        match sniffed.spoken {
            Spoken::Http1 => Box::pin(http::serve_http1(self, stream, sniffed.first)).await,
            Spoken::Http2 => Box::pin(http::serve_http2(self, stream, sniffed.first)).await,
            Spoken::Opaque => Box::pin(tcp::serve(self, stream, sniffed.first)).await,
        }
    }

    /// Logs a connection to a destination that is not served; `asked` is what a stream of HBONE
    /// asked for.
    pub(super) fn refuse(&self, view: &View, asked: Option<String>) {
        let mut entry = Entry::new(self.start, self.remote, self.local);
        if asked.is_some() {
            entry.method = Some(Method::CONNECT);
            entry.response_code = 400;
        }
        entry.authority = asked;
        let fault = Fault::UnknownDestination;
        entry.response_flags = Some("NR");
        entry.response_code_details = Some(fault.to_string().into());
        entry.duration = self.began.elapsed();
        let peer = self.peer(view);
        describe(&mut entry, &peer, None);
        self.worker.log.record(Box::new(entry));
        let labels = Rc::default();
        let meter = self.meters.meter(&peer, &labels, None, Protocol::Tcp);
        meter.opened();
        meter.closed("NR");
    }

    /// What is behind the address that was dialled, as the mesh is now.
    pub(super) fn target(&self, view: &View) -> Option<Rc<Target>> {
        view.target(self.local)
    }
}
