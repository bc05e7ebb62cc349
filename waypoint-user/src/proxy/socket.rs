//! Options of sockets.
//!
//! **Invariant:** small writes leave at once, on both sides of a connection.

use std::{io, net::SocketAddr, os::fd::AsFd};

use nix::{
    errno::Errno,
    sys::socket::{getsockopt, sockopt},
};
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use super::{
    Settings,
    limits::{
        DIALLED_KEEPALIVE_AFTER, DIALLED_KEEPALIVE_EVERY, DIALLED_KEEPALIVE_PROBES,
        HTTP2_UNACKNOWLEDGED_TIMEOUT, KEEPALIVE_AFTER,
    },
    network::{Network, Vantage},
    respond::Fault,
};

/// The mark that the kernel copied from the connection's first packet.
pub(super) fn mark(socket: &impl AsFd) -> u32 {
    getsockopt(socket, sockopt::Mark).unwrap_or_default()
}

/// Sets what every connection has that was accepted: no delay, and a kernel that notices when the
/// other side is gone.
pub(super) fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_AFTER);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

/// Sets what every connection has that we opened: endpoints may vanish with their node.
fn prepare_dialled(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(DIALLED_KEEPALIVE_AFTER)
        .with_interval(DIALLED_KEEPALIVE_EVERY)
        .with_retries(DIALLED_KEEPALIVE_PROBES);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

/// Makes a connection break once what was sent is not acknowledged for
/// [`HTTP2_UNACKNOWLEDGED_TIMEOUT`].
pub(super) fn break_unacknowledged(stream: &TcpStream) {
    let limit = Some(HTTP2_UNACKNOWLEDGED_TIMEOUT);
    if let Err(cause) = SockRef::from(stream).set_tcp_user_timeout(limit) {
        tracing::debug!(%cause, "it will be long until it is noticed that an endpoint is gone");
    }
}

/// Makes the connection end with a reset when it is dropped.
pub(super) fn reset_on_drop(stream: &TcpStream) {
    if let Err(cause) = stream.set_zero_linger() {
        tracing::debug!(%cause, "a connection cannot be reset and will be closed");
    }
}

/// Connects to an endpoint.
pub(super) async fn dial(
    address: SocketAddr,
    vantage: &Vantage,
    network: &dyn Network,
    settings: &Settings,
) -> Result<TcpStream, Fault> {
    match timeout(settings.connect_timeout, connect(address, vantage, network)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(cause)) => Err(Fault::ConnectFailed(reason(&cause))),
        Err(_) => Err(Fault::ConnectTimeout),
    }
}

/// Connects from a vantage.
pub(super) async fn connect(
    address: SocketAddr,
    vantage: &Vantage,
    network: &dyn Network,
) -> io::Result<TcpStream> {
    let socket = network.tcp(vantage, address.is_ipv4())?;
    let stream = TcpSocket::from_std_stream(socket.into()).connect(address).await?;
    prepare_dialled(&stream)?;
    Ok(stream)
}

/// An error of the kernel in words: `Connection refused`.
pub(super) fn reason(cause: &io::Error) -> String {
    match cause.raw_os_error() {
        Some(code) => Errno::from_raw(code).desc().to_owned(),
        None => cause.to_string(),
    }
}

#[cfg(test)]
mod tests;
