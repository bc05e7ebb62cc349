//! HBONE: streams of HTTP/2 CONNECT, from both ends.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use h2::{client, server};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use rustls::ClientConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinSet,
};

use super::{Duct, tls};

/// A client's connection; streams are opened on it.
#[derive(Debug)]
pub struct Connection {
    open: client::SendRequest<Bytes>,
    /// What moves the bytes, for as long as this value is there.
    _driver: JoinSet<()>,
}

impl Connection {
    /// Shakes hands in TLS and in HTTP/2.
    pub async fn dial(tcp: TcpStream, config: Arc<ClientConfig>) -> Result<Self> {
        tcp.set_nodelay(true)?;
        let stream = tls::connect(config, tcp).await?;
        let mut builder = client::Builder::new();
        builder.initial_window_size(STREAM_WINDOW).initial_connection_window_size(WINDOW);
        let (open, connection) = builder.handshake(stream).await.context("http2 handshake")?;
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            // Its streams learn of the failure.
            let _ended = connection.await;
        });
        Ok(Self { open, _driver: driver })
    }

    /// Opens a stream to an authority; an answer other than 200 is an error.
    pub async fn connect(&mut self, authority: &str, headers: HeaderMap) -> Result<Duct> {
        let (status, duct) = self.ask(authority, headers).await?;
        ensure!(status == StatusCode::OK, "CONNECT {authority} was answered {status}");
        Ok(duct)
    }

    /// Opens a stream to an authority, whatever the answer.
    pub async fn ask(&mut self, authority: &str, headers: HeaderMap) -> Result<(StatusCode, Duct)> {
        let uri = Uri::builder().authority(authority).build()?;
        let mut request = Request::builder().method(Method::CONNECT).uri(uri).body(())?;
        *request.headers_mut() = headers;
        self.open = self.open.clone().ready().await.context("http2 connection")?;
        let (answer, send) = self.open.send_request(request, false)?;
        let answer = answer.await.with_context(|| format!("CONNECT {authority}"))?;
        let status = answer.status();
        Ok((status, Duct::Tunnel { send, receive: answer.into_body() }))
    }
}

/// A server's connection: accepts every CONNECT, and answers every HTTP/1 request inside it with
/// the same bytes.
pub async fn serve<S>(stream: S, answer: Bytes) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut builder = server::Builder::new();
    builder.initial_window_size(STREAM_WINDOW).initial_connection_window_size(WINDOW);
    let mut connection = builder.handshake(stream).await?;
    let mut streams = JoinSet::new();
    while let Some(accepted) = connection.accept().await {
        let (request, mut respond) = accepted?;
        ensure!(request.method() == Method::CONNECT, "a request is no CONNECT");
        let send = respond.send_response(Response::new(()), false)?;
        let mut duct = Duct::Tunnel { send, receive: request.into_body() };
        let answer = answer.clone();
        streams.spawn(async move {
            // The end of a stream is its client's to notice.
            let _ended = duct.answer(&answer).await;
        });
        while streams.try_join_next().is_some() {}
    }
    Ok(())
}

/// The port of HBONE.
pub const PORT: u16 = 15008;
const STREAM_WINDOW: u32 = 256 * 1024;
const WINDOW: u32 = 4 * 1024 * 1024;
