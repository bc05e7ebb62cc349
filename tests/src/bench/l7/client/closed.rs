//! Closed loops: so many at a time, each with its next request when the last was answered.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use bytes::{Bytes, BytesMut};
use h2::client::{self, SendRequest};
use http::{Request, Version};
use tokio::{task::JoinSet, time};

use super::{
    super::load::{Load, Seen, Shape, TENANT},
    connection::{Dialler, Line},
    window::{Began, Window},
};

/// Clients, each of which ends with the times of its requests.
type Clients = JoinSet<Result<Vec<Duration>>>;

/// Warms up, then measures.
pub(super) async fn measure(load: &Load) -> Result<Seen> {
    let window = Arc::new(Window::default());
    // What moves the bytes of HTTP/2 goes with this value.
    let mut drivers = JoinSet::new();
    let mut clients = start(load, &window, &mut drivers).await?;
    keep_busy(&mut clients, load.warm_up()).await?;
    let began = Began::now(load)?;
    window.open();
    keep_busy(&mut clients, load.period()).await?;
    window.close();
    let cost = began.cost(load)?;
    if load.shape == Shape::Bulk {
        // Those that are not over yet counted by their bytes.
        let bodies = f64::from(u32::try_from(window.bytes() / 1024)?) * 1024.0 / BULK_BYTES;
        let at_once = f64::from(u32::try_from(load.connections)?);
        let each = load.period().as_secs_f64() * at_once / bodies;
        return cost.seen(vec![Duration::from_secs_f64(each)], Some(bodies));
    }
    let mut times = Vec::new();
    while let Some(client) = clients.join_next().await {
        times.extend(client??);
    }
    cost.seen(times, None)
}

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
async fn start(load: &Load, window: &Arc<Window>, drivers: &mut JoinSet<()>) -> Result<Clients> {
    let (dialler, mut clients) = (Dialler::new(load)?, Clients::new());
    let request = Bytes::from(load.request());
    for _ in 0..load.connections {
        let (request, window) = (request.clone(), Arc::clone(window));
        match load.shape {
            Shape::Http2 => {
                let open = connect(&dialler, drivers).await?;
                for _ in 0..load.streams {
                    clients.spawn(ask_streams(open.clone(), self::request(load)?, window.clone()));
                }
            }
            Shape::Fresh => drop(clients.spawn(ask_anew(dialler.clone(), request, window))),
            Shape::Bulk => drop(clients.spawn(fetch(dialler.line().await?, request, window))),
            _ => drop(clients.spawn(ask(dialler.line().await?, request, window))),
        }
    }
    Ok(clients)
}

/// Asks again and again on one connection.
async fn ask(mut line: Line, request: Bytes, window: Arc<Window>) -> Result<Vec<Duration>> {
    let (mut times, mut buffer) = (Vec::new(), BytesMut::with_capacity(BUFFER));
    while !window.is_over() {
        let began = Instant::now();
        let answer = line.exchange(request.clone(), &mut buffer).await?;
        ensure!(answer.status == 200, "a request was answered {}", answer.status);
        if window.is_open() {
            times.push(began.elapsed());
        }
    }
    Ok(times)
}

/// Asks again and again, on a new connection each time.
async fn ask_anew(dialler: Dialler, request: Bytes, window: Arc<Window>) -> Result<Vec<Duration>> {
    let (mut times, mut buffer) = (Vec::new(), BytesMut::with_capacity(BUFFER));
    while !window.is_over() {
        let began = Instant::now();
        let answer = dialler.line().await?.exchange(request.clone(), &mut buffer).await?;
        ensure!(answer.status == 200, "a request was answered {}", answer.status);
        if window.is_open() {
            times.push(began.elapsed());
        }
    }
    Ok(times)
}

/// Fetches again and again what does not fit in memory.
async fn fetch(mut line: Line, request: Bytes, window: Arc<Window>) -> Result<Vec<Duration>> {
    let mut buffer = BytesMut::with_capacity(BULK_BUFFER);
    loop {
        let answer = line.ask(request.clone(), &mut buffer).await?;
        ensure!(answer.status == 200, "a request was answered {}", answer.status);
        let mut missing = answer.length;
        loop {
            window.count(buffer.len());
            missing -= buffer.len().min(missing);
            buffer.clear();
            if missing == 0 {
                break;
            }
            ensure!(line.receive(&mut buffer).await?, "the connection ended inside a body");
        }
    }
}

/// A connection of HTTP/2 without TLS.
async fn connect(dialler: &Dialler, drivers: &mut JoinSet<()>) -> Result<SendRequest<Bytes>> {
    let mut builder = client::Builder::new();
    builder.initial_window_size(STREAM_WINDOW).initial_connection_window_size(WINDOW);
    let stream = dialler.tcp().await?;
    let (open, connection) = builder.handshake(stream).await.context("http2 handshake")?;
    drivers.spawn(async move {
        // Its streams learn of the failure.
        let _ended = connection.await;
    });
    Ok(open)
}

fn request(load: &Load) -> Result<Request<()>> {
    let uri = format!("http://{}{}", load.host, load.path);
    let mut request = Request::get(uri).version(Version::HTTP_2).header("user-agent", "bench");
    if let Some(tenant) = &load.tenant {
        request = request.header(TENANT, tenant);
    }
    Ok(request.body(())?)
}

/// Asks again and again, with a stream each time.
async fn ask_streams(
    mut open: SendRequest<Bytes>,
    request: Request<()>,
    window: Arc<Window>,
) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    while !window.is_over() {
        let began = Instant::now();
        open = open.ready().await?;
        let (answer, _) = open.send_request(request.clone(), true)?;
        let answer = answer.await?;
        ensure!(answer.status() == 200, "a request was answered {}", answer.status());
        let mut body = answer.into_body();
        while let Some(bytes) = body.data().await {
            let bytes = bytes?.len();
            body.flow_control().release_capacity(bytes)?;
        }
        if window.is_open() {
            times.push(began.elapsed());
        }
    }
    Ok(times)
}

/// Room for an answer.
const BUFFER: usize = 4096;
const BULK_BUFFER: usize = 512 * 1024;
/// A large body, as the measure of bodies.
#[expect(clippy::cast_precision_loss, reason = "it is far below what a float holds exactly")]
const BULK_BYTES: f64 = super::super::backend::BULK as f64;
const STREAM_WINDOW: u32 = 256 * 1024;
const WINDOW: u32 = 4 * 1024 * 1024;
