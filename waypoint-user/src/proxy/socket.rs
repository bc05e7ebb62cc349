//! Options of sockets.
//!
//! **Invariant:** small writes leave at once, on both sides of a connection.

use std::{io, net::SocketAddr, os::fd::AsFd};

use nix::{
    errno::Errno,
    sys::socket::{getsockopt, setsockopt, sockopt},
};
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use super::{Settings, limits::KEEPALIVE_AFTER, respond::Fault};

/// The mark that the kernel copied from the connection's first packet.
pub(super) fn mark(socket: &impl AsFd) -> u32 {
    getsockopt(socket, sockopt::Mark).unwrap_or_default()
}

/// Sets what every connection has: no delay, and a kernel that notices when the other side is gone.
pub(super) fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_AFTER);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

/// Makes the connection end with a reset when it is dropped.
pub(super) fn reset_on_drop(stream: &TcpStream) {
    if let Err(cause) = stream.set_zero_linger() {
        tracing::debug!(%cause, "a connection cannot be reset and will be closed");
    }
}

/// Connects to an endpoint.
pub(super) async fn dial(address: SocketAddr, settings: &Settings) -> Result<TcpStream, Fault> {
    match timeout(settings.connect_timeout, connect(address, settings.upstream_mark)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(cause)) => Err(Fault::ConnectFailed(reason(&cause))),
        Err(_) => Err(Fault::ConnectTimeout),
    }
}

/// Connects with our mark.
async fn connect(address: SocketAddr, mark: u32) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if mark != 0 {
        setsockopt(&socket, sockopt::Mark, &mark)?;
    }
    let stream = socket.connect(address).await?;
    prepare(&stream)?;
    Ok(stream)
}

/// An error of the kernel in words: `Connection refused`.
fn reason(cause: &io::Error) -> String {
    match cause.raw_os_error() {
        Some(code) => Errno::from_raw(code).desc().to_owned(),
        None => cause.to_string(),
    }
}
