//! The clients: they keep a proxy busy for a while, each with one request at a time.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use rustls::ClientConfig;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time,
};

use super::{stage::Stage, subject::Running, usage};
use crate::wire::{Duct, tls, tunnel};

/// What the clients do.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    /// HTTP/1 over so many connections of TLS.
    Connections(usize),
    /// HTTP/1 in tunnels.
    Tunnels {
        /// So many connections.
        connections: usize,
        /// So many tunnels in each.
        streams: usize,
    },
    /// So many handshakes at a time.
    Handshakes {
        /// How many are under way.
        at_once: usize,
    },
}

/// What a measurement said.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outcome {
    /// The proxy's CPU time for a request, in microseconds.
    pub(super) cpu_us: f64,
    /// The part of a core that the proxy used.
    pub(super) busy: f64,
    /// Requests a second.
    pub(super) rate: f64,
    /// The median latency, in microseconds.
    pub(super) p50_us: f64,
    /// One in a hundred is slower.
    pub(super) p99_us: f64,
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cpu_us, busy, rate, p50_us, p99_us } = self;
        write!(
            out,
            "{cpu_us:.1} µs CPU each, {:.0} % busy, {rate:.0}/s, p50 {p50_us:.0} µs, p99 \
             {p99_us:.0} µs",
            busy * 100.0
        )
    }
}

/// Warms up, then measures for a period.
pub(super) fn measure(stage: &Stage, running: &Running, period: Duration) -> Result<Outcome> {
    stage.run(async {
        let window = Arc::new(Window::default());
        let mut clients = JoinSet::new();
        start(running, &window, &mut clients).await?;
        keep_busy(&mut clients, WARM_UP).await?;
        let process = running.proxy.id();
        let (began, before) = (Instant::now(), usage::cpu_time(process)?);
        window.is_open.store(true, Ordering::Relaxed);
        keep_busy(&mut clients, period).await?;
        let (took, after) = (began.elapsed(), usage::cpu_time(process)?);
        window.is_over.store(true, Ordering::Relaxed);
        let mut times = Vec::new();
        while let Some(client) = clients.join_next().await {
            times.extend(client??);
        }
        outcome(times, took, after.saturating_sub(before))
    })
}

fn outcome(mut times: Vec<Duration>, took: Duration, cpu: Duration) -> Result<Outcome> {
    ensure!(!times.is_empty(), "no request ended within {took:?}");
    times.sort_unstable();
    let count = f64::from(u32::try_from(times.len())?);
    let at = |part: usize| times.get(times.len() * part / 100).copied().unwrap_or_default();
    Ok(Outcome {
        cpu_us: cpu.as_secs_f64() * 1e6 / count,
        busy: cpu.as_secs_f64() / took.as_secs_f64(),
        rate: count / took.as_secs_f64(),
        p50_us: at(50).as_secs_f64() * 1e6,
        p99_us: at(99).as_secs_f64() * 1e6,
    })
}

/// When requests count.
#[derive(Debug, Default)]
struct Window {
    is_open: AtomicBool,
    is_over: AtomicBool,
}

/// Clients, each of which ends with the times of its requests.
type Clients = JoinSet<Result<Vec<Duration>>>;

/// Lets the clients ask for a while; none of them ends by itself, but for a failure.
async fn keep_busy(clients: &mut Clients, period: Duration) -> Result<()> {
    match time::timeout(period, clients.join_next()).await {
        Err(_over) => Ok(()),
        Ok(ended) => {
            ended.context("there are no clients")???;
            bail!("a client ended before it was told to")
        }
    }
}

/// Makes the connections one after the other, so that none times out, and starts their clients.
async fn start(running: &Running, window: &Arc<Window>, clients: &mut Clients) -> Result<()> {
    let Running { client, identity, shape, .. } = running;
    match *shape {
        Shape::Connections(count) => {
            let config = tls::client(client, tls::HTTP1, identity)?;
            for _ in 0..count {
                let stream = tls::connect(Arc::clone(&config), tcp(running).await?).await?;
                let duct = Duct::Dialled(Box::new(stream));
                clients.spawn(ask(duct, None, request(running), Arc::clone(window)));
            }
        }
        Shape::Tunnels { connections, streams } => {
            for _ in 0..connections {
                let mut connection = dial(running).await?;
                let mut ducts = Vec::new();
                for _ in 0..streams {
                    ducts.push(connection.connect(&running.authority, HeaderMap::new()).await?);
                }
                let connection = Arc::new(connection);
                for duct in ducts {
                    let alive = Some(Arc::clone(&connection));
                    clients.spawn(ask(duct, alive, request(running), Arc::clone(window)));
                }
            }
        }
        Shape::Handshakes { at_once } => {
            let config = tls::client(client, tls::H2, identity)?;
            for _ in 0..at_once {
                let (config, window) = (Arc::clone(&config), Arc::clone(window));
                clients.spawn(greet(running.address, config, window));
            }
        }
    }
    Ok(())
}

/// A connection of tunnels.
pub(super) async fn dial(running: &Running) -> Result<tunnel::Connection> {
    let config = tls::client(&running.client, tls::H2, &running.identity)?;
    tunnel::Connection::dial(tcp(running).await?, config).await
}

/// The request that every client makes.
pub(super) fn request(running: &Running) -> Bytes {
    let host = &running.authority;
    format!("GET /bench HTTP/1.1\r\nhost: {host}\r\nuser-agent: bench\r\n\r\n").into()
}

async fn tcp(running: &Running) -> Result<TcpStream> {
    let address = running.address;
    let stream = TcpStream::connect(address).await.with_context(|| format!("dial {address}"))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Asks again and again; the connection below a tunnel lives as long as one of its tunnels.
async fn ask(
    mut duct: Duct,
    _below: Option<Arc<tunnel::Connection>>,
    request: Bytes,
    window: Arc<Window>,
) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    let mut buffer = BytesMut::with_capacity(4096);
    while !window.is_over.load(Ordering::Relaxed) {
        let began = Instant::now();
        let answer = duct.exchange(request.clone(), &mut buffer).await?;
        ensure!(answer.status == 200, "a request was answered {}", answer.status);
        if window.is_open.load(Ordering::Relaxed) {
            times.push(began.elapsed());
        }
    }
    Ok(times)
}

/// Shakes hands again and again.
async fn greet(
    address: std::net::SocketAddr,
    config: Arc<ClientConfig>,
    window: Arc<Window>,
) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    while !window.is_over.load(Ordering::Relaxed) {
        let began = Instant::now();
        let tcp = TcpStream::connect(address).await?;
        tcp.set_nodelay(true)?;
        let mut stream = tls::connect(Arc::clone(&config), tcp).await?;
        stream.write_all(PREFACE).await?;
        let mut frame = [0; FRAME_HEAD];
        stream.read_exact(&mut frame).await.context("the first frame after a handshake")?;
        let [_, _, _, kind, ..] = frame;
        ensure!(kind == SETTINGS, "the first frame is of kind {kind}");
        if window.is_open.load(Ordering::Relaxed) {
            times.push(began.elapsed());
        }
    }
    Ok(times)
}

/// What a client of HTTP/2 says first, with no settings.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const FRAME_HEAD: usize = 9;
const SETTINGS: u8 = 4;
const WARM_UP: Duration = Duration::from_secs(1);
