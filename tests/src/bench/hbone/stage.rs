//! Where it all happens: a network namespace, and the core of clients and backends.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::{Context, Result};
use bytes::Bytes;
use nix::{
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    lab::{Daemon, Name, Netns, command},
    shop,
    wire::{Credentials, Duct, tls, tunnel},
};

/// The place, until it is dropped.
#[derive(Debug)]
pub(super) struct Stage {
    runtime: Runtime,
    netns: Netns,
    name: Name,
}

/// Backends; they end when this is dropped.
pub(super) type Backends = JoinSet<Result<()>>;

impl Stage {
    pub(super) fn new() -> Result<Self> {
        let name = Name::unique();
        std::fs::create_dir_all(name.directory())?;
        let netns = Netns::create(&[name.of("bench")])?.remove(0);
        let addresses =
            (1..=ADDRESSES).map(|number| format!("addr add {}/32 dev lo\n", at(number, 0).ip()));
        netns.ip(&addresses.fold("link set lo up\n".to_owned(), |all, line| all + &line))?;
        // A handshake takes a port of the client; thousands a second come around.
        netns.sysctl("ipv4/tcp_tw_reuse", "1")?;
        netns.sysctl("ipv4/ip_local_port_range", "20000 65535")?;
        let own = std::process::id().to_string();
        command::run("prlimit", &["--pid", &own, &format!("--nofile={FILES}:")])?;
        Ok(Self { runtime: runtime()?, netns, name })
    }

    pub(super) fn netns(&self) -> &Netns {
        &self.netns
    }

    /// A directory for a proxy's files.
    pub(super) fn directory(&self, of: &str) -> PathBuf {
        self.name.directory().join(of)
    }

    /// A process of ours that does not run yet.
    pub(super) fn daemon(&self, role: &str) -> Result<Daemon> {
        Daemon::new(self.name.part(role))
    }

    /// Runs something inside, on the clients' core; backends run meanwhile.
    pub(super) fn run<T: Send>(&self, what: impl Future<Output = Result<T>> + Send) -> Result<T> {
        on_clients_core(&self.netns, &self.runtime, what)
    }

    /// Serves HTTP/1 in the clear on an address.
    pub(super) fn serve_plain(&self, backends: &mut Backends, address: SocketAddr) -> Result<()> {
        let listener = self.netns.within(|| shop::listen(address))?;
        serve_plain(listener, BODY, backends, &self.runtime);
        Ok(())
    }

    /// Serves HTTP/1 inside HBONE on an address.
    pub(super) fn serve_hbone(
        &self,
        backends: &mut Backends,
        address: SocketAddr,
        credentials: &Credentials,
    ) -> Result<()> {
        let listener = self.netns.within(|| shop::listen(address))?;
        let acceptor = TlsAcceptor::from(tls::server(credentials, tls::H2)?);
        let serving = serve(listener, Some(acceptor), answer(BODY));
        backends.spawn_on(serving, self.runtime.handle());
        Ok(())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.name.scrub();
    }
}

/// A socket address on the stage, by number.
pub(super) fn at(number: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([10, 77, 1, number], port))
}

/// Clients and backends; they stand still while nobody measures.
pub(super) fn runtime() -> Result<Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

/// Runs something inside a namespace, on the clients' core; backends run meanwhile.
pub(super) fn on_clients_core<T: Send>(
    netns: &Netns,
    runtime: &Runtime,
    what: impl Future<Output = Result<T>> + Send,
) -> Result<T> {
    netns.within(|| {
        let mut cores = CpuSet::new();
        cores.set(CLIENTS)?;
        sched_setaffinity(Pid::from_raw(0), &cores)?;
        runtime.block_on(what)
    })
}

/// Serves HTTP/1 in the clear, with answers of so many bytes.
pub(super) fn serve_plain(
    listener: std::net::TcpListener,
    body: usize,
    backends: &mut Backends,
    runtime: &Runtime,
) {
    backends.spawn_on(serve(listener, None, answer(body)), runtime.handle());
}

/// Puts every thread of a process on the core of proxies.
pub(super) fn pin(process: u32) -> Result<()> {
    command::run("taskset", &["-a", "-c", "-p", PROXY, &process.to_string()])?;
    Ok(())
}

async fn serve(
    listener: std::net::TcpListener,
    acceptor: Option<TlsAcceptor>,
    answer: Bytes,
) -> Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.context("backend")?;
        let (acceptor, answer) = (acceptor.clone(), answer.clone());
        connections.spawn(async move {
            // A proxy that closes a connection means no harm.
            let _ended = serve_one(stream, acceptor, answer).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn serve_one(stream: TcpStream, tls: Option<TlsAcceptor>, answer: Bytes) -> Result<()> {
    stream.set_nodelay(true)?;
    match tls {
        None => Duct::Plain(stream).answer(&answer).await,
        Some(acceptor) => tunnel::serve(acceptor.accept(stream).await?, answer).await,
    }
}

fn answer(body: usize) -> Bytes {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {body}\r\n\r\n");
    Bytes::from([head.into_bytes(), vec![b'x'; body]].concat())
}

/// The core of the proxy under test, for `taskset`.
pub(super) const PROXY: &str = "0";
/// The core of everything else.
const CLIENTS: usize = 1;
/// How many addresses the loopback device has.
const ADDRESSES: u8 = 16;
/// Bytes of an answer's body.
pub(super) const BODY: usize = 1024;
/// Open files, for this program and those that it starts.
const FILES: u32 = 10_000;
