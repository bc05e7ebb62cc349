//! The sockets that captured connections arrive at.
//!
//! It accepts nothing: the engine's workers do.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

use super::{Error, netns::Netns};

/// For each worker, a listener for IPv4 and, where the kernel has it, one for IPv6; those of a
/// family share their port, and the kernel spreads connections over them.
pub(super) fn open(netns: &Netns, workers: usize) -> Result<Vec<Vec<TcpListener>>, Error> {
    let families: &[SocketAddr] = if has_ipv6() { &[V4, V6] } else { &[V4] };
    let open_all = || families.iter().map(|address| listen(*address)).collect();
    netns.run(|| (0..workers).map(|_| open_all()).collect())?
}

/// One socket of a family, to stand in the listener slots for all of them.
pub(super) fn duplicate(listener: &TcpListener) -> Result<TcpListener, Error> {
    listener.try_clone().map_err(|source| Error::Listen { address: V4, source })
}

/// Whether the kernel does IPv6 at all.
pub(super) fn has_ipv6() -> bool {
    std::path::Path::new("/proc/sys/net/ipv6").exists()
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

/// Nobody dials it: `steer` gives the listener whatever was captured.
const PORT: u16 = 15001;
const V4: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), PORT);
const V6: SocketAddr = SocketAddr::new(std::net::IpAddr::V6(Ipv6Addr::UNSPECIFIED), PORT);
/// Connections that wait to be accepted, for each listener; the kernel drops further SYNs, which
/// their clients send again.
const BACKLOG: i32 = 4096;
