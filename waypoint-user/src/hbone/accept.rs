//! Accepting connections, and the streams on them.
//!
//! **Invariant:** what is no CONNECT to a valid authority is answered here and seen by nobody else.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use h2::{
    RecvStream,
    server::{Builder, Connection, SendResponse},
};
use http::{Request, Response, StatusCode};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{
    Connect, Error, Settings, Stream, connect,
    keep::{Advice, Flow, Keeper},
    limits::{
        CONNECTION_WINDOW_BYTES, ERROR_RESETS_MAX, FRAME_BYTES_MAX, FRAME_OVERHEAD_BYTES_MAX,
        HANDSHAKE_TIMEOUT, PENDING_RESETS_MAX, REQUEST_HEADER_BYTES_MAX, SEND_BUFFER_BYTES,
        STREAM_WINDOW_BYTES, WINDOW_RATIO,
    },
};

/// Serves a connection until it ends; when `drain` is cancelled the peer is told to open no more
/// streams, and it ends with its last one.
///
/// Dropping the future cuts the connection and resets its streams. That is how a peer that was
/// revoked or that a policy no longer admits is cut: by whoever knows whom it serves.
///
/// `each` is called within this future and must not block: it starts a task.
pub async fn serve(
    io: impl AsyncRead + AsyncWrite + Unpin,
    settings: &Settings,
    drain: CancellationToken,
    mut each: impl FnMut(Incoming),
) -> Result<(), Error> {
    let handshake = Box::pin(timeout(HANDSHAKE_TIMEOUT, builder(settings).handshake(io)));
    let late = |_| Error::Http2("the peer did not begin in time".to_owned());
    let mut connection = handshake.await.map_err(late)??;
    let mut keeper = Keeper::new(connection.ping_pong(), settings);
    let mut drained = pin!(drain.cancelled());
    let mut is_draining = false;
    loop {
        let next = poll_fn(|cx| {
            if !is_draining && drained.as_mut().poll(cx).is_ready() {
                is_draining = true;
                connection.graceful_shutdown();
            }
            poll_next(&mut connection, &mut keeper, cx)
        });
        let Some((request, respond)) = next.await.transpose()? else { return Ok(()) };
        match Incoming::new(request, respond, keeper.flow()) {
            Ok(incoming) => each(incoming),
            Err(mut respond) => {
                settings.limits.bad_requests.hit();
                answer(&mut respond, StatusCode::BAD_REQUEST);
            }
        }
    }
}

fn builder(settings: &Settings) -> Builder {
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(settings.accepted_streams_max)
        .max_header_list_size(REQUEST_HEADER_BYTES_MAX)
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES_MAX)
        .data_frame_budget(FRAME_OVERHEAD_BYTES_MAX)
        .max_send_buffer_size(SEND_BUFFER_BYTES)
        .max_pending_accept_reset_streams(PENDING_RESETS_MAX)
        .max_local_error_reset_streams(Some(ERROR_RESETS_MAX));
    builder
}

/// A request, and how it is answered.
type Asked = (Request<RecvStream>, SendResponse<Bytes>);

/// The next request; `None` at the connection's end.
fn poll_next<T: AsyncRead + AsyncWrite + Unpin>(
    connection: &mut Connection<T, Bytes>,
    keeper: &mut Keeper,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Asked, Error>>> {
    loop {
        if let Poll::Ready(next) = connection.poll_accept(cx) {
            return Poll::Ready(next.map(|asked| asked.map_err(Error::from)));
        }
        match keeper.poll(cx) {
            Poll::Ready(Advice::Grow(size)) => {
                connection.set_target_window_size(size);
                // Refused where the peer has not acknowledged the size before; the next will do.
                let _later = connection.set_initial_window_size(size / WINDOW_RATIO);
            }
            Poll::Ready(Advice::Settled) => {}
            Poll::Ready(Advice::Dead) => return Poll::Ready(Some(Err(Error::Dead))),
            Poll::Pending => return Poll::Pending,
        }
    }
}

/// A stream that the peer asks for. Dropping it resets it.
pub struct Incoming {
    /// What it asks for.
    pub connect: Connect,
    respond: SendResponse<Bytes>,
    receive: RecvStream,
    flow: Arc<Flow>,
}

impl Incoming {
    /// Reads the head of a request; where it is not valid, its answer is still to be given.
    fn new(
        request: Request<RecvStream>,
        respond: SendResponse<Bytes>,
        flow: Arc<Flow>,
    ) -> Result<Self, SendResponse<Bytes>> {
        let (head, receive) = request.into_parts();
        match connect::read(&head) {
            Some(connect) => Ok(Self { connect, respond, receive, flow }),
            None => Err(respond),
        }
    }

    /// Grants it: 200.
    pub fn accept(mut self) -> Result<Stream, Error> {
        let send = self.respond.send_response(Response::new(()), false)?;
        Ok(Stream::accepted(send, self.receive, self.flow))
    }

    /// Refuses it.
    pub fn refuse(mut self, why: Refusal) {
        answer(&mut self.respond, why.status());
    }

    /// Waits until the peer gives the stream up, to stop what is done for it before it is granted.
    pub async fn abandoned(&mut self) {
        // An error says that the connection is gone, and the stream with it.
        let _reason = poll_fn(|cx| self.respond.poll_reset(cx)).await;
    }
}

/// Why a stream is not granted (ztunnel `src/proxy/inbound.rs`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// It does not say where it goes, or not to us: 400.
    NotHere,
    /// The policies deny it: 401.
    Denied,
    /// The destination is not known or cannot be reached: 503.
    Unavailable,
}

impl Refusal {
    fn status(self) -> StatusCode {
        match self {
            Self::NotHere => StatusCode::BAD_REQUEST,
            Self::Denied => StatusCode::UNAUTHORIZED,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// Answers without granting.
fn answer(respond: &mut SendResponse<Bytes>, status: StatusCode) {
    let mut response = Response::new(());
    *response.status_mut() = status;
    if let Err(cause) = respond.send_response(response, true) {
        tracing::debug!(%cause, "a stream was given up before its answer");
    }
}
