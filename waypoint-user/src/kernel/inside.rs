//! Sockets inside other network namespaces: those of this node's pods, and the agent's.
//!
//! It connects none of them. A namespace is entered for the moment in which a socket is made, by
//! the thread that asks: that costs 1.5 µs more than a socket at home, where a thread of each
//! namespace that one asks costs 4.3 µs.
//!
//! **Invariant:** a thread that entered another namespace is back in its own when the call returns;
//! if it cannot go back, the process ends, because whatever the thread did next would happen in the
//! wrong place.

use std::{
    cell::OnceCell,
    collections::HashMap,
    io, process,
    sync::{Arc, PoisonError, RwLock},
};

use nix::{
    sched::{CloneFlags, setns},
    sys::socket::{setsockopt, sockopt},
};
use socket2::{Domain, Protocol, Socket, Type};

use super::netns::Netns;
use crate::mesh::{
    object::ObjectName,
    workload::{NetnsRef, Workload},
};

/// Opens sockets in the namespaces of this node; clones share what is known of them.
#[derive(Clone, Debug)]
pub struct Sockets(Arc<Namespaces>);

#[derive(Debug)]
struct Namespaces {
    agent: RwLock<Arc<Netns>>,
    pods: RwLock<HashMap<ObjectName, Arc<Netns>>>,
    found: RwLock<HashMap<Arc<str>, NetnsRef>>,
}

impl Sockets {
    /// No pods yet.
    pub(super) fn new(agent: Netns) -> Self {
        let (agent, pods) = (RwLock::new(Arc::new(agent)), RwLock::default());
        Self(Arc::new(Namespaces { agent, pods, found: RwLock::default() }))
    }

    /// Takes note of the pods' namespaces; those of others are let go.
    pub(super) fn know(&self, pods: HashMap<ObjectName, Arc<Netns>>) {
        *self.0.pods.write().unwrap_or_else(PoisonError::into_inner) = pods;
    }

    /// Takes note of where pods are, by their uids, that do not say it themselves.
    pub(super) fn found(&self, pods: HashMap<Arc<str>, NetnsRef>) {
        *self.0.found.write().unwrap_or_else(PoisonError::into_inner) = pods;
    }

    /// Takes note that the agent's namespace is another one now.
    pub(super) fn agent_is(&self, agent: Netns) {
        *self.0.agent.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(agent);
    }

    /// A TCP socket in a pod's namespace, for the network to see its connection as the pod's.
    pub fn in_pod(&self, pod: &ObjectName, v4: bool) -> io::Result<Socket> {
        let pods = self.0.pods.read().unwrap_or_else(PoisonError::into_inner);
        let netns = pods.get(pod).map(Arc::clone);
        drop(pods);
        let netns = netns.ok_or_else(|| unknown(pod))?;
        within(&netns, || tcp(v4))
    }

    /// A TCP socket in the agent's namespace that may be bound to any address. From there it
    /// reaches the pods of this node and nobody else; a port is chosen when it connects.
    pub fn in_agent(&self, v4: bool) -> io::Result<Socket> {
        let netns = Arc::clone(&self.0.agent.read().unwrap_or_else(PoisonError::into_inner));
        within(&netns, || {
            let socket = tcp(v4)?;
            if v4 {
                socket.set_ip_transparent_v4(true)?;
            } else {
                socket.set_ip_transparent_v6(true)?;
            }
            setsockopt(&socket, sockopt::IpBindAddressNoPort, &true)?;
            Ok(socket)
        })
    }

    /// An AF_UNIX stream socket in the namespace of a pod of this node, enrolled or not: it decides
    /// who has an abstract name.
    pub fn unix_in(&self, pod: &Workload) -> io::Result<Socket> {
        let known = pod.netns.clone().or_else(|| {
            let found = self.0.found.read().unwrap_or_else(PoisonError::into_inner);
            found.get(&pod.uid).cloned()
        });
        let netns = known.ok_or_else(|| unknown(&pod.name))?;
        let netns = Netns::open(&netns.path()).map_err(io::Error::other)?;
        within(&netns, || Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None))
    }
}

fn unknown(pod: &ObjectName) -> io::Error {
    let what = format!("no network namespace of pod {pod} is known on this node");
    io::Error::new(io::ErrorKind::NotFound, what)
}

/// Does something in a namespace and comes back. It must neither wait nor panic.
fn within<T>(netns: &Netns, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    HOME.with(|home| {
        let home = if let Some(home) = home.get() {
            home
        } else {
            let found = Netns::current().map_err(io::Error::other)?;
            home.get_or_init(|| found)
        };
        let _back = Back(home);
        setns(netns, CloneFlags::CLONE_NEWNET)?;
        work()
    })
}

thread_local! {
    /// The namespace in which the thread lives.
    static HOME: OnceCell<Netns> = const { OnceCell::new() };
}

/// Brings the thread back into a namespace when it is dropped.
struct Back<'a>(&'a Netns);

impl Drop for Back<'_> {
    fn drop(&mut self) {
        if let Err(cause) = setns(self.0, CloneFlags::CLONE_NEWNET) {
            tracing::error!(%cause, "a thread cannot return into its own network namespace");
            process::abort();
        }
    }
}

/// A socket that does not make its thread wait.
fn tcp(v4: bool) -> io::Result<Socket> {
    let domain = if v4 { Domain::IPV4 } else { Domain::IPV6 };
    let socket = Socket::new(domain, Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    if !v4 {
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

#[cfg(test)]
mod tests;
