//! The server's WebSocket (RFC 6455): every text or binary message comes back.

use anyhow::{Context, Result};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Empty};
use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE},
    rt::Executor,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{handshake::derive_accept_key, protocol::Role},
};

use super::Body;

/// Agrees to the upgrade and repeats messages until the client closes.
pub(super) fn accept(request: Request<Incoming>) -> Result<Response<Body>> {
    let key = request.headers().get(SEC_WEBSOCKET_KEY).context("no sec-websocket-key")?;
    let answer = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(CONNECTION, "upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_ACCEPT, derive_accept_key(key.as_bytes()))
        .body(Empty::<Bytes>::new().boxed())?;
    TokioExecutor::new().execute(async move {
        // The client notices by itself when this ends early.
        let _ended = repeat(request).await;
    });
    Ok(answer)
}

async fn repeat(request: Request<Incoming>) -> Result<()> {
    let upgraded = TokioIo::new(hyper::upgrade::on(request).await?);
    let mut socket = WebSocketStream::from_raw_socket(upgraded, Role::Server, None).await;
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            socket.send(message).await?;
        }
    }
    Ok(())
}
