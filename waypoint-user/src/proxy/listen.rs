//! The doors of a waypoint that is a process of its own.
//!
//! **Invariant:** the ports are open on every address of the pod, IPv4 and IPv6, wherever the
//! kernel has both; a Service's own address is open alone.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    os::{
        linux::net::SocketAddrExt,
        unix::net::{self, UnixListener},
    },
};

use socket2::{Domain, Protocol, Socket, Type};

use super::{Doors, LOCAL_DOOR};

/// The ports of a waypoint.
#[derive(Clone, Debug)]
pub struct Ports {
    /// HBONE from the network.
    pub hbone: u16,
    /// TCP with PROXY headers, from an agent that terminates HBONE.
    pub proxied: Option<u16>,
    /// Addresses of Services, at which they are dialled in plain TCP.
    pub services: Vec<SocketAddr>,
}

/// For each worker, a door at each port, which they share, and the one door for the agent of this
/// node.
pub fn waypoint_doors(ports: &Ports, workers: usize) -> Result<Vec<Doors>, Error> {
    let agent = agent_door().map_err(|cause| Error::Agent { cause })?;
    let at = |port| every_address(port).map_err(|cause| Error::Port { port, cause });
    let open = || {
        let hbone = vec![at(ports.hbone)?];
        let proxied = ports.proxied.map(at).transpose()?.into_iter().collect();
        let services = ports.services.iter().map(|address| of_service(*address));
        let services = services.collect::<Result<_, _>>()?;
        let local = vec![agent.try_clone().map_err(|cause| Error::Agent { cause })?];
        Ok(Doors { hbone, proxied, services, local, ..Doors::default() })
    };
    (0..workers).map(|_| open()).collect()
}

/// A listener on an address of a Service.
fn of_service(address: SocketAddr) -> Result<TcpListener, Error> {
    listen(address).map_err(|cause| Error::Service { address, cause })
}

/// A listener on a port of every address, of both families where the kernel has both.
fn every_address(port: u16) -> io::Result<TcpListener> {
    match listen(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port)) {
        Err(cause) if cause.kind() != io::ErrorKind::AddrInUse => {
            tracing::debug!(%cause, "no IPv6 here");
            listen(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port))
        }
        listener => listener,
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// The listener of the agent's door, which workers share.
fn agent_door() -> io::Result<UnixListener> {
    let listener = UnixListener::bind_addr(&net::SocketAddr::from_abstract_name(LOCAL_DOOR)?)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Why a waypoint cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The port cannot be had.
    #[error("port {port}: {cause}; see who listens there, or name another: see --help")]
    Port {
        /// The port.
        port: u16,
        /// Why not.
        cause: io::Error,
    },
    /// The address of a Service cannot be had.
    #[error("{address}: {cause}; give this host the address, or leave out --listen-service")]
    Service {
        /// The address.
        address: SocketAddr,
        /// Why not.
        cause: io::Error,
    },
    /// The agent's door cannot be had.
    #[error("the abstract socket for the agent: {cause}; does a waypoint run here already?")]
    Agent {
        /// Why not.
        cause: io::Error,
    },
}

/// Connections that wait to be accepted, for each listener.
const BACKLOG: i32 = 4096;
