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
    task::JoinSet,
    time,
};

use super::{
    target::{Shape, Target},
    usage,
};
use crate::wire::{Duct, tls, tunnel};

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

/// Warms up, then measures for a period what clients see, and what processes use meanwhile.
pub(super) async fn measure(
    target: &Target,
    processes: &[u32],
    period: Duration,
) -> Result<Outcome> {
    let window = Arc::new(Window::default());
    let mut clients = JoinSet::new();
    start(target, &window, &mut clients).await?;
    keep_busy(&mut clients, WARM_UP).await?;
    let (began, before) = (Instant::now(), usage::cpu_time(processes)?);
    window.is_open.store(true, Ordering::Relaxed);
    keep_busy(&mut clients, period).await?;
    let (took, after) = (began.elapsed(), usage::cpu_time(processes)?);
    window.is_over.store(true, Ordering::Relaxed);
    let mut times = Vec::new();
    while let Some(client) = clients.join_next().await {
        times.extend(client??);
    }
    outcome(times, took, after.saturating_sub(before))
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
async fn start(target: &Target, window: &Arc<Window>, clients: &mut Clients) -> Result<()> {
    match target.shape {
        Shape::Connections(count) => {
            for _ in 0..count {
                let duct = connection(target).await?;
                clients.spawn(ask(duct, None, target.request(), Arc::clone(window)));
            }
        }
        Shape::Tunnels { connections, streams } => {
            for _ in 0..connections {
                start_tunnels(target, streams, window, clients).await?;
            }
        }
        Shape::Handshakes(at_once) => {
            let config = target.config(tls::H2)?;
            for _ in 0..at_once {
                clients.spawn(greet(target.clone(), Arc::clone(&config), Arc::clone(window)));
            }
        }
    }
    Ok(())
}

/// A connection without tunnels.
async fn connection(target: &Target) -> Result<Duct> {
    let stream = target.connect().await?;
    if target.proof.is_none() {
        return Ok(Duct::Plain(stream));
    }
    let stream = tls::connect(target.config(tls::HTTP1)?, stream).await?;
    Ok(Duct::Dialled(Box::new(stream)))
}

/// One connection, and a client for each of its tunnels.
async fn start_tunnels(
    target: &Target,
    streams: usize,
    window: &Arc<Window>,
    clients: &mut Clients,
) -> Result<()> {
    let mut connection = target.dial().await?;
    let mut ducts = Vec::new();
    for _ in 0..streams {
        ducts.push(connection.connect(&target.authority, HeaderMap::new()).await?);
    }
    let below = Arc::new(connection);
    for duct in ducts {
        let below = Some(Arc::clone(&below));
        clients.spawn(ask(duct, below, target.request(), Arc::clone(window)));
    }
    Ok(())
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
    target: Target,
    config: Arc<ClientConfig>,
    window: Arc<Window>,
) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    while !window.is_over.load(Ordering::Relaxed) {
        let began = Instant::now();
        let mut stream = tls::connect(Arc::clone(&config), target.connect().await?).await?;
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
