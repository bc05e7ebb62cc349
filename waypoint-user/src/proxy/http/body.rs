//! Bodies on their way through.
//!
//! **Invariant:** a body that broke on one side breaks on the other; it never looks complete.

use std::{
    error::Error,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use http::{HeaderMap, StatusCode};
use hyper::body::{Body, Bytes, Frame, SizeHint};

use crate::proxy::{
    connection::Connection,
    lease::Lease,
    record::Record,
    respond::Fault,
    upstream::{Http1Body, Http2Body},
};

use super::{
    client_body::{ClientBody, RequestBroken},
    deadline::Deadline,
    fields,
    forward::Carrier,
    grpc_web::GrpcWeb,
    idle::Idle,
    tape::{Copy, Play},
    upgrade::Tunnel,
};

mod progress;

pub(in crate::proxy) use self::progress::Progress;

/// The body of a request, on its way to an endpoint.
pub(in crate::proxy) struct RequestBody {
    source: Source,
    /// Whether there never was anything in it.
    empty: bool,
}

/// Where a body comes from.
enum Source {
    /// Nowhere.
    Nothing,
    /// The client, once.
    Client(ClientBody, Rc<Progress>),
    /// The client, by way of what is kept.
    Tape(Play),
    /// A copy of what somebody else reads.
    Copy(Copy),
    /// Bytes of ours.
    Bytes(Bytes),
}

impl RequestBody {
    /// No body.
    pub(super) const fn empty() -> Self {
        Self { source: Source::Nothing, empty: true }
    }

    /// A client's body, which is needed once.
    pub(super) fn new(body: ClientBody, progress: Rc<Progress>) -> Self {
        progress.ended.set(body.is_end_stream());
        Self { empty: body.is_end_stream(), source: Source::Client(body, progress) }
    }

    /// A body from its start.
    pub(super) const fn of(play: Play) -> Self {
        Self { source: Source::Tape(play), empty: false }
    }

    /// A copy of a body.
    pub(super) const fn copy(copy: Copy) -> Self {
        Self { source: Source::Copy(copy), empty: false }
    }

    /// A body of our own.
    pub(super) const fn bytes(bytes: Bytes) -> Self {
        Self { source: Source::Bytes(bytes), empty: false }
    }

    /// Whether there is nothing in it.
    pub(in crate::proxy) fn is_empty(&self) -> bool {
        self.empty
    }

    /// Whether the client waits to be told to send it.
    pub(in crate::proxy) fn awaits_leave(&self) -> bool {
        match &self.source {
            Source::Client(body, _) => body.awaits_leave(),
            Source::Tape(play) => play.awaits_leave(),
            Source::Nothing | Source::Copy(_) | Source::Bytes(_) => false,
        }
    }

    /// Passes on what an endpoint says before its final response, where the client understands it.
    pub(in crate::proxy) fn hint(&self, status: StatusCode, mut headers: HeaderMap) {
        fields::remove_hop_by_hop(&mut headers);
        fields::remove_framing(&mut headers);
        match &self.source {
            Source::Client(body, _) => body.hint(status, &headers),
            Source::Tape(play) => play.hint(status, &headers),
            Source::Nothing | Source::Copy(_) | Source::Bytes(_) => {}
        }
    }
}

/// Reads on from the client.
pub(super) fn poll_client(
    body: &mut ClientBody,
    progress: &Progress,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, RequestBroken>>> {
    let frame = ready!(body.poll_frame(cx));
    let ended = frame.is_none() || body.is_end_stream();
    match &frame {
        Some(Ok(frame)) => {
            progress.advance(body.fresh(frame.data_ref().map_or(0, Bytes::len)));
        }
        Some(Err(cause)) => progress.broke(cause),
        None => {}
    }
    if ended {
        progress.ended.set(true);
    }
    Poll::Ready(frame)
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = RequestBroken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RequestBroken>>> {
        if self.empty {
            return Poll::Ready(None);
        }
        match &mut self.source {
            Source::Nothing => Poll::Ready(None),
            Source::Client(body, progress) => poll_client(body, progress, cx),
            Source::Tape(play) => play.poll_frame(cx),
            Source::Copy(copy) => copy.poll_frame(cx),
            Source::Bytes(bytes) => {
                let bytes = std::mem::take(bytes);
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.empty
            || match &self.source {
                Source::Nothing => true,
                Source::Client(body, _) => body.is_end_stream(),
                Source::Tape(play) => play.is_end_stream(),
                Source::Copy(copy) => copy.is_end_stream(),
                Source::Bytes(bytes) => bytes.is_empty(),
            }
    }

    fn size_hint(&self) -> SizeHint {
        if self.empty {
            return SizeHint::with_exact(0);
        }
        match &self.source {
            Source::Nothing => SizeHint::with_exact(0),
            Source::Client(body, _) => body.size_hint(),
            Source::Tape(play) => play.size_hint(),
            Source::Copy(copy) => copy.size_hint(),
            Source::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
        }
    }
}

/// The body of a response, on its way to a client.
pub(in crate::proxy) enum ResponseBody {
    /// Nothing.
    Empty,
    /// A text of ours.
    Text(Bytes),
    /// An endpoint's body.
    Stream(Box<Stream>),
    /// None: the connection changes its protocol.
    Tunnel(Box<Tunnel>),
}

impl ResponseBody {
    /// Ready when it must not go on, though nobody asks for more of it.
    pub(super) fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<Cut> {
        match self {
            Self::Stream(stream) => stream.poll_over(cx),
            Self::Empty | Self::Text(_) | Self::Tunnel(_) => Poll::Pending,
        }
    }

    /// The client took something of it.
    pub(super) fn moved(&mut self) {
        if let Self::Stream(stream) = self
            && let Some(idle) = &mut stream.idle
        {
            idle.heard();
        }
    }
}

/// A piece of an endpoint's body.
pub(super) type Piece = Result<Frame<Bytes>, Box<dyn Error>>;

/// An endpoint's body, as the connection below gives it.
pub(in crate::proxy) enum AnswerBody {
    /// By HTTP/1.
    Http1(Http1Body),
    /// By HTTP/2.
    Http2(Http2Body),
    /// None: the stream changes its protocol.
    Nothing,
}

impl AnswerBody {
    pub(super) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Piece>> {
        match self {
            Self::Http1(body) => body.poll_frame(cx).map_err(Into::into),
            Self::Http2(body) => body.poll_frame(cx).map_err(Into::into),
            Self::Nothing => Poll::Ready(None),
        }
    }

    pub(super) fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(body) => body.is_end_stream(),
            Self::Http2(body) => body.is_end_stream(),
            Self::Nothing => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(body) => body.size_hint(),
            Self::Http2(body) => body.size_hint(),
            Self::Nothing => SizeHint::with_exact(0),
        }
    }
}

/// An endpoint's body, with all that must live as long.
pub(in crate::proxy) struct Stream {
    pub(super) body: AnswerBody,
    pub(super) connection: Rc<Connection>,
    pub(super) progress: Rc<Progress>,
    pub(super) lease: Rc<Lease>,
    /// When it must have ended, if ever.
    pub(super) deadline: Option<Deadline>,
    /// What ends it when nothing moves, if anything does.
    pub(super) idle: Option<Idle>,
    /// How it is translated, if it is.
    pub(super) translates: Option<GrpcWeb>,
    /// `None` once the response ended.
    pub(super) open: Option<(Record, Carrier)>,
}

impl Stream {
    /// The body of a response that may be over already.
    pub(super) fn into_body(mut self) -> ResponseBody {
        if self.body.is_end_stream() {
            self.end();
            return ResponseBody::Empty;
        }
        ResponseBody::Stream(Box::new(self))
    }

    /// Tells that the response ended, and keeps the connection if the request ended as well.
    fn end(&mut self) {
        if let Some((record, carrier)) = self.open.take() {
            record.finish();
            if self.progress.ended.get() {
                carrier.keep(&self.connection.worker);
            }
        }
    }

    /// Tells that the response broke, and closes the connection.
    fn fail(&mut self, fault: Fault) -> Cut {
        if let Some((mut record, _)) = self.open.take() {
            record.fail(fault);
            record.finish();
        }
        Cut
    }

    /// Notes a piece, which is returned as the client gets it.
    fn tell(&mut self, frame: Frame<Bytes>) -> Frame<Bytes> {
        let Some((record, _)) = &mut self.open else { return frame };
        if let Some(trailers) = frame.trailers_ref() {
            record.see_grpc_status(trailers);
        }
        let frame = match self.translates {
            Some(web) => web.translate(frame),
            None => frame,
        };
        record.sent += frame.data_ref().map_or(0, Bytes::len) as u64;
        frame
    }

    /// Ready when it must not go on: nobody may have it any more, or its time is over. Whoever does
    /// not ask for more of it asks for this.
    pub(super) fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<Cut> {
        self.poll_fault(cx).map(|fault| self.fail(fault))
    }

    fn poll_fault(&mut self, cx: &mut Context<'_>) -> Poll<Fault> {
        if let Poll::Ready(fault) = self.lease.poll_revoked(cx) {
            return Poll::Ready(fault);
        }
        if let Some(deadline) = &mut self.deadline
            && let Poll::Ready(fault) = deadline.poll(cx)
        {
            return Poll::Ready(fault);
        }
        self.idle.as_mut().map_or(Poll::Pending, |idle| idle.poll(cx))
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if let Poll::Ready(cut) = self.poll_over(cx) {
            return Poll::Ready(Some(Err(cut)));
        }
        let frame = match ready!(self.body.poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            Some(Err(cause)) => {
                tracing::debug!(%cause, "a response broke");
                let fault = self.progress.blame(Fault::UpstreamCut);
                return Poll::Ready(Some(Err(self.fail(fault))));
            }
            None => {
                self.end();
                return Poll::Ready(None);
            }
        };
        if let Some(idle) = &mut self.idle {
            idle.heard();
        }
        let frame = self.tell(frame);
        if self.body.is_end_stream() {
            self.end();
        }
        Poll::Ready(Some(Ok(frame)))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match self.get_mut() {
            Self::Empty | Self::Tunnel(_) => Poll::Ready(None),
            Self::Text(text) => {
                let text = std::mem::take(text);
                Poll::Ready((!text.is_empty()).then(|| Ok(Frame::data(text))))
            }
            Self::Stream(stream) => stream.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty | Self::Tunnel(_) => true,
            Self::Text(text) => text.is_empty(),
            Self::Stream(stream) => stream.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty | Self::Tunnel(_) => SizeHint::with_exact(0),
            Self::Text(text) => SizeHint::with_exact(text.len() as u64),
            // Another coding, and trailers in the body, make it longer.
            Self::Stream(stream) if stream.translates.is_some() => SizeHint::default(),
            Self::Stream(stream) => stream.body.size_hint(),
        }
    }
}

/// A response that was cut off.
#[derive(Debug, thiserror::Error)]
#[error("the response was cut off")]
pub(in crate::proxy) struct Cut;
