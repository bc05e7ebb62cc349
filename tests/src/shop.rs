//! The small servers and clients that stories, the demo and measurements run in pods.
//!
//! They serve nobody but tests: no limits, no TLS. Every server says on stdout `listening on
//! ADDRESS` for each of its addresses, once all of them can be dialled.
//!
//! **Invariant:** a server tells what it really saw (peer, headers, protocol), so that a test can
//! trust it more than the proxy's own account.

pub mod connects;
pub mod http;
pub mod lines;
pub mod pingpong;

use std::{
    net::{SocketAddr, TcpListener as StdListener},
    sync::Arc,
};

use anyhow::{Context, Result};
use socket2::{Domain, Socket, Type};
use tokio::{net::TcpListener, task::JoinSet};

/// What a server speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub enum Protocol {
    /// HTTP/1.1 and HTTP/2 with prior knowledge, on one port.
    Http,
    /// A greeting at once, then each line back: the server speaks first.
    Banner,
    /// Every byte back.
    Echo,
}

/// Serves on every address until the process ends.
pub async fn serve(name: &str, protocol: Protocol, addresses: &[SocketAddr]) -> Result<()> {
    let name: Arc<str> = Arc::from(name);
    let listeners = addresses.iter().map(|address| Ok(TcpListener::from_std(listen(*address)?)?));
    let listeners = listeners.collect::<Result<Vec<_>>>()?;
    let mut servers = JoinSet::new();
    for listener in listeners {
        println!("listening on {}", listener.local_addr()?);
        servers.spawn(accept(listener, Arc::clone(&name), protocol));
    }
    while let Some(ended) = servers.join_next().await {
        ended??;
    }
    Ok(())
}

/// A listener that leaves the other address family's port alone.
pub fn listen(address: SocketAddr) -> Result<StdListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into()).with_context(|| format!("bind {address}"))?;
    socket.listen(1024)?;
    Ok(socket.into())
}

async fn accept(listener: TcpListener, name: Arc<str>, protocol: Protocol) -> Result<()> {
    let mut connections = JoinSet::new();
    loop {
        let (stream, peer) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let name = Arc::clone(&name);
        // A connection's own failure is its client's to notice.
        connections.spawn(async move {
            let _ended = match protocol {
                Protocol::Http => http::serve(stream, peer, name).await,
                Protocol::Banner => lines::greet(stream, &name).await,
                Protocol::Echo => lines::echo(stream).await,
            };
        });
        while connections.try_join_next().is_some() {}
    }
}
