//! Bodies on their way through.
//!
//! **Invariant:** a body that broke on one side breaks on the other; it never looks complete.

use std::{
    cell::Cell,
    error::Error,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};

use crate::proxy::{
    connection::Connection, lease::Lease, record::Record, respond::Fault, upstream::Http1Body,
};

use super::{
    deadline::Deadline,
    forward::Carrier,
    tape::{Copy, Play},
};

/// How far a request's body has come.
#[derive(Debug, Default)]
pub(in crate::proxy) struct Progress {
    /// Bytes so far.
    pub(in crate::proxy) bytes: Rc<Cell<u64>>,
    /// Whether all of it was sent on.
    pub(in crate::proxy) ended: Cell<bool>,
    /// Whether the client broke it off.
    pub(in crate::proxy) broken: Cell<bool>,
}

/// The body of a request, on its way to an endpoint.
pub(in crate::proxy) struct RequestBody(Source);

/// Where a body comes from.
enum Source {
    /// There is none.
    Empty,
    /// The client, once.
    Client(Incoming, Rc<Progress>),
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
        Self(Source::Empty)
    }

    /// A client's body, which is needed once.
    pub(super) fn new(body: Incoming, progress: Rc<Progress>) -> Self {
        progress.ended.set(body.is_end_stream());
        if body.is_end_stream() {
            return Self::empty();
        }
        Self(Source::Client(body, progress))
    }

    /// A body from its start.
    pub(super) const fn of(play: Play) -> Self {
        Self(Source::Tape(play))
    }

    /// A copy of a body.
    pub(super) const fn copy(copy: Copy) -> Self {
        Self(Source::Copy(copy))
    }

    /// A body of our own.
    pub(super) const fn bytes(bytes: Bytes) -> Self {
        Self(Source::Bytes(bytes))
    }

    /// Whether there is nothing in it.
    pub(in crate::proxy) fn is_empty(&self) -> bool {
        matches!(self.0, Source::Empty)
    }
}

/// Reads on from the client.
fn poll_client(
    body: &mut Incoming,
    progress: &Progress,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
    let frame = ready!(Pin::new(&mut *body).poll_frame(cx));
    let ended = frame.is_none() || body.is_end_stream();
    match &frame {
        Some(Ok(frame)) => {
            let len = frame.data_ref().map_or(0, Bytes::len) as u64;
            progress.bytes.set(progress.bytes.get() + len);
        }
        Some(Err(_)) => progress.broken.set(true),
        None => {}
    }
    if ended {
        progress.ended.set(true);
    }
    Poll::Ready(frame.map(|frame| frame.map_err(|cause| Broken::of(&cause))))
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match &mut self.0 {
            Source::Empty => Poll::Ready(None),
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
        match &self.0 {
            Source::Empty => true,
            Source::Client(body, _) => body.is_end_stream(),
            Source::Tape(play) => play.is_end_stream(),
            Source::Copy(copy) => copy.is_end_stream(),
            Source::Bytes(bytes) => bytes.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Source::Empty => SizeHint::with_exact(0),
            Source::Client(body, _) => body.size_hint(),
            Source::Tape(play) => play.size_hint(),
            Source::Copy(copy) => copy.size_hint(),
            Source::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
        }
    }
}

/// A request's body that did not come to its end.
#[derive(Debug, thiserror::Error)]
#[error("the body of a request broke off: {0}")]
pub(in crate::proxy) struct Broken(String);

impl Broken {
    /// By the client.
    pub(super) fn of(cause: &hyper::Error) -> Self {
        Self(cause.to_string())
    }

    /// By us, as a mirror was too slow or the request itself broke off.
    pub(super) fn cut_off() -> Self {
        Self("the copy was cut off".to_owned())
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
}

/// A piece of an endpoint's body.
pub(super) type Piece = Result<Frame<Bytes>, Box<dyn Error>>;

/// An endpoint's body, as the connection below gives it.
pub(in crate::proxy) enum AnswerBody {
    /// By HTTP/1.
    Http1(Http1Body),
    /// By HTTP/2.
    Http2(Incoming),
}

impl AnswerBody {
    pub(super) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Piece>> {
        match self {
            Self::Http1(body) => body.poll_frame(cx).map_err(Into::into),
            Self::Http2(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
        }
    }

    pub(super) fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(body) => body.is_end_stream(),
            Self::Http2(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(body) => body.size_hint(),
            Self::Http2(body) => body.size_hint(),
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

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if let Poll::Ready(fault) = self.lease.poll_revoked(cx) {
            return Poll::Ready(Some(Err(self.fail(fault))));
        }
        if let Some(deadline) = &mut self.deadline
            && let Poll::Ready(fault) = deadline.poll(cx)
        {
            return Poll::Ready(Some(Err(self.fail(fault))));
        }
        let frame = match ready!(self.body.poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            Some(Err(cause)) => {
                tracing::debug!(%cause, "a response broke");
                return Poll::Ready(Some(Err(self.fail(Fault::UpstreamCut))));
            }
            None => {
                self.end();
                return Poll::Ready(None);
            }
        };
        if let Some((record, _)) = &mut self.open {
            record.sent += frame.data_ref().map_or(0, Bytes::len) as u64;
            if let Some(trailers) = frame.trailers_ref() {
                record.see_grpc_status(trailers);
            }
        }
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
            Self::Empty => Poll::Ready(None),
            Self::Text(text) => {
                let text = std::mem::take(text);
                Poll::Ready((!text.is_empty()).then(|| Ok(Frame::data(text))))
            }
            Self::Stream(stream) => stream.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Text(text) => text.is_empty(),
            Self::Stream(stream) => stream.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Text(text) => SizeHint::with_exact(text.len() as u64),
            Self::Stream(stream) => stream.body.size_hint(),
        }
    }
}

/// A response that was cut off.
#[derive(Debug, thiserror::Error)]
#[error("the response was cut off")]
pub(in crate::proxy) struct Cut;
