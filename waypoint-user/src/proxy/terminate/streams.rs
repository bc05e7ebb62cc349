//! The streams of one connection of HBONE: whose they are, where they go, and whether they may.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    rc::Rc,
    sync::Arc,
};

use crate::{
    hbone::{Authority, Connect, Incoming, Refusal},
    mesh::{request::Origin, snapshot::Snapshot, spiffe::SpiffeId},
    proxy::{
        Duty,
        accept::canonical,
        connection::Connection,
        late::{self, Turn},
        stream::Stream,
        worker::{Place, Worker},
    },
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
        let connect = &incoming.connect;
        let (remote, origin) = (self.client(connect), self.origin(connect));
        let (worker, authority) = (Rc::clone(&self.worker), connect.authority.clone());
        let view = worker.view();
        let asked = Asked { place, incoming, remote, origin };
        if let Some(local) = destination(&worker.settings.duty, &authority, view.snapshot()) {
            asked.grant(local);
        } else if let Some(turn) = late::turn_for(&worker, &authority) {
            task::spawn_local("stream that waits", asked.wait(worker, turn));
        } else {
            asked.refuse(&worker);
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

/// A stream that is neither granted nor refused.
struct Asked {
    place: Place,
    incoming: Incoming,
    remote: SocketAddr,
    origin: Origin,
}

impl Asked {
    /// Grants it and starts to serve it.
    fn grant(self, local: SocketAddr) {
        let Self { place, incoming, remote, origin } = self;
        let connection = Connection::new(place, remote, local, origin);
        match incoming.accept() {
            Ok(stream) => {
                let stream = Stream::Tunnel(stream);
                task::spawn_local("connection", connection.serve(stream));
            }
            Err(cause) => tracing::debug!(%remote, %cause, "a stream was given up at once"),
        }
    }

    /// Refuses it and says so in the log.
    fn refuse(self, worker: &Worker) {
        let Self { place, incoming, remote, origin } = self;
        let authority = &incoming.connect.authority;
        let connection = Connection::new(place, remote, named(authority), origin);
        connection.refuse(&worker.view(), Some(authority.to_string()));
        incoming.refuse(Refusal::NotHere);
    }

    /// Waits for its destination to be bound here, for as long as the peer does.
    async fn wait(mut self, worker: Rc<Worker>, turn: Turn) {
        let authority = self.incoming.connect.authority.clone();
        let duty = &worker.settings.duty;
        let binding = late::until(&worker, turn, |mesh| destination(duty, &authority, mesh));
        let bound = tokio::select! {
            biased;
            bound = binding => bound,
            () = self.incoming.abandoned() => return,
        };
        match bound {
            Some(local) => self.grant(local),
            None => self.refuse(&worker),
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
    select::bound_to(snapshot, own, authority.into()).map(|bound| bound.destination)
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
