//! The HTTP server: it answers with who it is and what it got.
//!
//! | path | answer |
//! |---|---|
//! | `/bytes?n=N` | `N` bytes, streamed |
//! | `/upload?pause_us=U` | counts the body; pauses after each 64 KiB when asked to |
//! | `/slow?ms=M&at=NAME` | the usual answer after `M` milliseconds, with `at` only at that server |
//! | `/status?code=C` | the usual answer with status `C`; `/slow` knows `code` too |
//! | `/ws` | a WebSocket that repeats each message |
//! | anything else | JSON with `name`, `method`, `path`, `headers`, `peer`, `protocol` |

mod websocket;

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Result, anyhow};
use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::{
    Request, Response, StatusCode,
    body::{Frame, Incoming},
    header,
    http::uri::Authority,
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use serde_json::{Map, Value, json};
use tokio::{net::TcpStream, time};

/// The body of an answer.
pub(crate) type Body = BoxBody<Bytes, Infallible>;

/// Serves one connection, in whichever HTTP version the client begins.
pub async fn serve(stream: TcpStream, peer: SocketAddr, name: Arc<str>) -> Result<()> {
    let service = service_fn(|request| answer(request, peer, Arc::clone(&name)));
    auto::Builder::new(TokioExecutor::new())
        .serve_connection_with_upgrades(TokioIo::new(stream), service)
        .await
        .map_err(|error| anyhow!(error))
}

async fn answer(
    request: Request<Incoming>,
    peer: SocketAddr,
    name: Arc<str>,
) -> Result<Response<Body>> {
    let query = request.uri().query().unwrap_or_default().to_owned();
    match request.uri().path() {
        "/bytes" => Ok(Response::new(zeros(parameter(&query, "n")))),
        "/upload" => upload(request, &query).await,
        "/slow" => {
            if value(&query, "at").is_none_or(|at| at == &*name) {
                time::sleep(Duration::from_millis(parameter(&query, "ms"))).await;
            }
            with_status(mirror(&request, peer, &name)?, &query)
        }
        "/status" => with_status(mirror(&request, peer, &name)?, &query),
        "/ws" => websocket::accept(request),
        _ => mirror(&request, peer, &name),
    }
}

/// Everything the server knows of a request, as JSON.
fn mirror(request: &Request<Incoming>, peer: SocketAddr, name: &str) -> Result<Response<Body>> {
    let mut headers = Map::new();
    for key in request.headers().keys() {
        let values = request.headers().get_all(key).iter();
        let joined: Vec<_> = values.map(|v| String::from_utf8_lossy(v.as_bytes())).collect();
        headers.insert(key.to_string(), Value::String(joined.join(",")));
    }
    let uri = request.uri();
    let seen = json!({
        "name": name,
        "method": request.method().as_str(),
        "path": uri.path_and_query().map_or("/", |path| path.as_str()),
        "authority": uri.authority().map(Authority::as_str),
        "headers": headers,
        "peer": peer.to_string(),
        "protocol": format!("{:?}", request.version()),
    });
    text(&seen)
}

/// The same with the status that a query asks for, if it does.
fn with_status(mut response: Response<Body>, query: &str) -> Result<Response<Body>> {
    if value(query, "code").is_some() {
        let code = u16::try_from(parameter(query, "code"))?;
        *response.status_mut() = StatusCode::from_u16(code)?;
    }
    Ok(response)
}

async fn upload(request: Request<Incoming>, query: &str) -> Result<Response<Body>> {
    let pause = Duration::from_micros(parameter(query, "pause_us"));
    let mut body = request.into_body();
    let (mut received, mut since_pause) = (0, 0);
    while let Some(frame) = body.frame().await {
        let length = frame?.data_ref().map_or(0, Bytes::len);
        received += length;
        since_pause += length;
        if since_pause >= CHUNK.len() {
            time::sleep(pause * u32::try_from(since_pause / CHUNK.len())?).await;
            since_pause %= CHUNK.len();
        }
    }
    text(&json!({ "received": received }))
}

fn text(value: &Value) -> Result<Response<Body>> {
    let body = Full::new(Bytes::from(format!("{value}\n"))).boxed();
    Ok(Response::builder().header(header::CONTENT_TYPE, "application/json").body(body)?)
}

/// `count` bytes that are never all in memory.
fn zeros(count: u64) -> Body {
    let chunks = stream::unfold(count, |left| async move {
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(CHUNK.len());
        let chunk = Bytes::from_static(CHUNK).split_to(length);
        (length > 0).then(|| (Ok(Frame::data(chunk)), left - length as u64))
    });
    StreamBody::new(chunks).boxed()
}

/// A number in a query, zero when absent.
fn parameter(query: &str, name: &str) -> u64 {
    value(query, name).and_then(|value| value.parse().ok()).unwrap_or(0)
}

/// What a query says of a name.
fn value<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// What `/bytes` is made of, and the step of a slow `/upload`.
static CHUNK: &[u8] = &[b'w'; 64 * 1024];
