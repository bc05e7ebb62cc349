//! The streams of one connection of HBONE: whose they are, where they go, and whether they may.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    rc::Rc,
    sync::Arc,
};

use crate::{
    hbone::{Authority, Connect, Incoming, Refusal},
    mesh::{request::Origin, snapshot::Snapshot, spiffe::SpiffeId},
    proxy::{Duty, accept::canonical, connection::Connection, stream::Stream, worker::Worker},
    select,
    telemetry::task,
};

/// A connection of HBONE, as its streams know it.
pub(super) struct Carrier {
    worker: Rc<Worker>,
    speaker: Speaker,
}

/// Who opens streams.
pub(super) enum Speaker {
    /// A peer that proved who it is, and from where it is seen to come.
    Peer {
        /// Its identity.
        identity: Arc<SpiffeId>,
        /// Its address.
        remote: SocketAddr,
    },
    /// The agent of this node, which says whose each stream is.
    Agent,
}

impl Carrier {
    /// Streams that such a peer will open.
    pub(super) fn new(worker: &Rc<Worker>, speaker: Speaker) -> Self {
        Self { worker: Rc::clone(worker), speaker }
    }

    /// Grants a stream and starts to serve it, or refuses it and says so in the log.
    pub(super) fn admit(&self, incoming: Incoming) {
        let Some(place) = self.worker.place() else {
            return incoming.refuse(Refusal::Unavailable);
        };
        let view = self.worker.view();
        let connect = &incoming.connect;
        let bound = destination(&self.worker.settings.duty, &connect.authority, view.snapshot());
        let (remote, origin) = (self.client(connect), self.origin(connect));
        let Some(local) = bound else {
            let connection = Connection::new(place, remote, named(&connect.authority), origin);
            connection.refuse(&view, Some(connect.authority.to_string()));
            return incoming.refuse(Refusal::NotHere);
        };
        let connection = Connection::new(place, remote, local, origin);
        match incoming.accept() {
            Ok(stream) => {
                let stream = Stream::Tunnel(stream);
                task::spawn_local("connection", connection.serve(stream));
            }
            Err(cause) => tracing::debug!(%remote, %cause, "a stream was given up at once"),
        }
    }

    /// The client's address: what `forwarded` says, as far as it can be believed; a peer on the
    /// network can only tell the port of the address that it comes from.
    fn client(&self, connect: &Connect) -> SocketAddr {
        let told = connect.forwarded.as_ref().map(|forwarded| forwarded.client);
        let told = told.map(canonical);
        match &self.speaker {
            Speaker::Peer { remote, .. } => {
                told.filter(|told| told.ip() == remote.ip()).unwrap_or(*remote)
            }
            Speaker::Agent => told.unwrap_or(NOWHERE),
        }
    }

    fn origin(&self, connect: &Connect) -> Origin {
        match &self.speaker {
            Speaker::Peer { identity, .. } => Origin::Tunnel(Arc::clone(identity)),
            Speaker::Agent => {
                connect.source.as_ref().map_or(Origin::Unknown, |one| Origin::Tunnel(one.clone()))
            }
        }
    }
}

/// The original destination of a stream, if the waypoint that this process is stands before it.
pub(super) fn destination(
    duty: &Duty,
    authority: &Authority,
    snapshot: &Snapshot,
) -> Option<SocketAddr> {
    let Duty::Waypoint(own) = duty else { return None };
    let authority = match authority {
        Authority::Address(address) => select::Authority::Address(*address),
        Authority::Host(host, port) => select::Authority::Host(host, *port),
    };
    select::bound_to(snapshot, own, authority).map(|bound| bound.destination)
}

/// The address that an authority names, for the log.
fn named(authority: &Authority) -> SocketAddr {
    match authority {
        Authority::Address(address) => canonical(*address),
        Authority::Host(_, port) => SocketAddr::new(NOWHERE.ip(), *port),
    }
}

/// An address that nobody has.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
