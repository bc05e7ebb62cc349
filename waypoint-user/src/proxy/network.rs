//! The engine's openings to the world: where connections come in, and from where others are opened.
//!
//! It opens nothing itself; roles bring what the kernel has.

use std::{
    io,
    net::{IpAddr, TcpListener},
    os::unix::net::{UnixListener, UnixStream},
};

use socket2::{Domain, Protocol, Socket, Type};

use crate::mesh::{object::ObjectName, workload::Workload};

/// The listeners of one worker, by what comes in at them.
#[derive(Debug, Default)]
pub struct Doors {
    /// Connections that pods opened and the kernel captured; the local address is the destination.
    pub captured: Vec<TcpListener>,
    /// HBONE for pods of this node; the local address is the pod's.
    pub inbound: Vec<TcpListener>,
    /// HBONE for this process itself.
    pub hbone: Vec<TcpListener>,
    /// TCP from an agent that terminates HBONE for this process, with a PROXY header in front.
    pub proxied: Vec<TcpListener>,
    /// TCP from anybody; the local address is the Service's that was dialled.
    pub services: Vec<TcpListener>,
    /// HTTP/2 without TLS from the agent of this node.
    pub local: Vec<UnixListener>,
}

/// From where a connection is opened: what the other side, and the network between, sees as its
/// source.
#[derive(Clone, Debug, Eq, PartialEq, Hash)]
pub enum Vantage {
    /// The process's own network.
    Own,
    /// The network of a pod of this node, as the pod itself.
    Pod(ObjectName),
    /// The agent's network on this node, in the name of an address.
    Agent(IpAddr),
}

/// Makes sockets, not blocking and not yet connected.
pub trait Network: Send + Sync {
    /// A TCP socket for connections to IPv4 or IPv6 addresses.
    fn tcp(&self, vantage: &Vantage, v4: bool) -> io::Result<Socket>;

    /// A connection to the listener of an abstract name in the network of a pod of this node. It
    /// never waits.
    fn unix(&self, pod: &Workload, name: &[u8]) -> io::Result<UnixStream>;
}

/// The process's own network, and no other.
#[derive(Clone, Copy, Debug, Default)]
pub struct OwnNetwork {
    /// The mark of sockets; zero sets none.
    pub mark: u32,
}

impl Network for OwnNetwork {
    fn tcp(&self, _: &Vantage, v4: bool) -> io::Result<Socket> {
        let domain = if v4 { Domain::IPV4 } else { Domain::IPV6 };
        let socket = Socket::new(domain, Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
        if self.mark != 0 {
            socket.set_mark(self.mark)?;
        }
        Ok(socket)
    }

    fn unix(&self, pod: &Workload, _: &[u8]) -> io::Result<UnixStream> {
        let what = format!("this process does not enter the network of pod {}", pod.name);
        Err(io::Error::new(io::ErrorKind::Unsupported, what))
    }
}

/// The abstract address of the door of a waypoint for the agent of its node, without the NUL before
/// it.
pub const LOCAL_DOOR: &[u8] = b"waypoint/hbone";
