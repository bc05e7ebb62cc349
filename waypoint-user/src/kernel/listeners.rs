//! The sockets that captured connections arrive at.
//!
//! It accepts nothing: the engine's workers do.
//!
//! **Invariant:** no two processes share a port, so that the kernel never gives a connection to a
//! process that does not stand in the listener slots.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};
use waypoint_common::redirect::slot;

use super::{Error, netns::Netns};

/// The listeners of one worker, for each address family that the kernel has.
#[derive(Debug, Default)]
pub struct Listeners {
    /// Connections that pods open: their own address is the one that the pod dialled.
    pub captured: Vec<TcpListener>,
    /// Tunnels to pods: their own address is the pod's.
    pub inbound: Vec<TcpListener>,
}

/// A socket that stands in a listener slot for all that share its port.
#[derive(Debug)]
pub(super) struct InSlot {
    /// The slot.
    pub(super) slot: u32,
    /// The socket.
    pub(super) listener: TcpListener,
}

impl Listeners {
    /// What stands in the listener slots for these and the other workers'.
    pub(super) fn in_slots(&self) -> Result<Vec<InSlot>, Error> {
        let captured = [slot::TCP4, slot::TCP6].into_iter().zip(&self.captured);
        let inbound = [slot::INBOUND4, slot::INBOUND6].into_iter().zip(&self.inbound);
        let duplicate = |(slot, listener): (u32, &TcpListener)| {
            let listener =
                listener.try_clone().map_err(|source| Error::Listen { address: V4, source })?;
            Ok(InSlot { slot, listener })
        };
        captured.chain(inbound).map(duplicate).collect()
    }
}

/// The listeners of each worker. Those of a family and a purpose share their port, and the kernel
/// spreads connections over them.
pub(super) fn open(netns: &Netns, workers: usize, inbound: bool) -> Result<Vec<Listeners>, Error> {
    netns.run(|| {
        let mut all: Vec<Listeners> = (0..workers).map(|_| Listeners::default()).collect();
        for family in families() {
            for (worker, listener) in all.iter_mut().zip(share(*family, workers)?) {
                worker.captured.push(listener);
            }
            let tunnels = if inbound { share(*family, workers)? } else { Vec::new() };
            for (worker, listener) in all.iter_mut().zip(tunnels) {
                worker.inbound.push(listener);
            }
        }
        Ok(all)
    })?
}

/// Whether the kernel does IPv6 at all.
pub(super) fn has_ipv6() -> bool {
    std::path::Path::new("/proc/sys/net/ipv6").exists()
}

fn families() -> &'static [SocketAddr] {
    if has_ipv6() { &[V4, V6] } else { &[V4] }
}

/// Listeners on one port that nobody else has.
fn share(family: SocketAddr, count: usize) -> Result<Vec<TcpListener>, Error> {
    let mut address = family;
    let mut listeners = Vec::with_capacity(count);
    for _ in 0..count {
        let listener = listen(address)?;
        address = listener.local_addr().map_err(|source| Error::Listen { address, source })?;
        listeners.push(listener);
    }
    Ok(listeners)
}

fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    let open = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
            socket.set_ip_transparent_v6(true)?;
        } else {
            socket.set_ip_transparent_v4(true)?;
        }
        socket.set_reuse_port(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    };
    open().map_err(|source| Error::Listen { address, source })
}

/// Nobody dials the port, so the kernel may choose: `steer` gives the listener whatever was
/// captured. When it chooses, it takes none that anybody has.
const ANY_PORT: u16 = 0;
const V4: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), ANY_PORT);
const V6: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), ANY_PORT);
/// Connections that wait to be accepted, for each listener; the kernel drops further SYNs, which
/// their clients send again.
const BACKLOG: i32 = 4096;
