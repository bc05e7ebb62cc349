//! The bytes of a connection to an endpoint, in both directions.
//!
//! **Invariant:** an idle connection holds no memory for what may come.

use std::{
    io,
    task::{Context, Poll, Waker, ready},
};

use bytes::{Bytes, BytesMut};
use http::StatusCode;

use crate::{
    http1::{self, Decoder, Piece},
    proxy::{
        inlet::Inlet, limits::INTERIM_RESPONSES_MAX, outlet::Outlet, respond::Fault, stream::Stream,
    },
};

/// The bytes of a connection, and how far the request and the response on it are.
pub(super) struct Wire {
    /// `None` once somebody took it.
    stream: Option<Stream>,
    /// What came and was not taken.
    inlet: Inlet,
    /// What waits to be sent.
    pub(super) outlet: Outlet,
    /// Memory for the heads of requests.
    pub(super) heads: BytesMut,
    /// How much of the request was sent.
    pub(super) sent: Part,
    /// How much of the response was taken.
    pub(super) taken: Part,
    /// Whether the endpoint leaves the connection open after the response.
    keeps: bool,
    /// How many responses came before the final one.
    interim: usize,
    /// Who waits for the response while the request is still being sent.
    waits: Option<Waker>,
}

/// How much of something is done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Part {
    Nothing,
    Something,
    All,
}

impl Wire {
    pub(super) fn new(stream: Stream) -> Self {
        Self {
            stream: Some(stream),
            inlet: Inlet::default(),
            outlet: Outlet::default(),
            heads: BytesMut::new(),
            sent: Part::Nothing,
            taken: Part::Nothing,
            keeps: false,
            interim: 0,
            waits: None,
        }
    }

    /// Begins with another request.
    pub(super) fn begin(&mut self) {
        (self.sent, self.taken) = (Part::Nothing, Part::Nothing);
        (self.keeps, self.interim) = (false, 0);
    }

    /// Lets go of what only a large response needed.
    pub(super) fn rest(&mut self) {
        self.inlet.rest();
    }

    /// Whether it can carry another request.
    pub(super) fn is_free(&self) -> bool {
        let open = self.stream.is_some() && self.keeps;
        let over = self.sent == Part::All && self.taken == Part::All;
        open && over && self.inlet.input.is_empty() && self.outlet.is_empty()
    }

    /// The stream, with what came and was not taken.
    pub(super) fn take(&mut self) -> Option<(Stream, Bytes)> {
        let input = std::mem::take(&mut self.inlet.input);
        self.stream.take().map(|stream| (stream, input))
    }

    /// Closes it, and tells whoever waits for the response.
    pub(super) fn cut(&mut self) {
        self.stream = None;
        if let Some(waits) = self.waits.take() {
            waits.wake();
        }
    }

    /// Sends all that waits.
    pub(super) fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outlet.is_empty() {
            let Some(stream) = &mut self.stream else { return Poll::Ready(Err(gone())) };
            ready!(self.outlet.poll_send(stream, cx))?;
            self.sent = Part::Something;
        }
        Poll::Ready(Ok(()))
    }

    /// Takes the head of the next response, of which the final one is the last.
    pub(super) fn poll_head(
        &mut self,
        to_head: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<http1::Response, Fault>> {
        loop {
            if let Some(head) = self.take_head(to_head)? {
                return Poll::Ready(Ok(head));
            }
            match ready!(self.poll_fill(cx)) {
                Ok(true) => {}
                Ok(false) => return Poll::Ready(Err(Fault::UpstreamClosed)),
                Err(cause) => {
                    tracing::debug!(%cause, "an endpoint did not answer");
                    return Poll::Ready(Err(Fault::UpstreamClosed));
                }
            }
        }
    }

    /// Takes a head, if all of it came.
    fn take_head(&mut self, to_head: bool) -> Result<Option<http1::Response>, Fault> {
        if self.inlet.input.is_empty() {
            return Ok(None);
        }
        let head = http1::parse_response(&mut self.inlet.input, to_head).map_err(|cause| {
            tracing::debug!(%cause, "an endpoint's answer is malformed");
            Fault::UpstreamProtocol
        })?;
        let Some(head) = head else { return Ok(None) };
        if is_interim(head.status) {
            self.interim += 1;
            if self.interim > INTERIM_RESPONSES_MAX {
                return Err(Fault::UpstreamProtocol);
            }
        } else {
            self.keeps = head.keeps;
            self.taken_by(&Decoder::new(head.framing));
        }
        Ok(Some(head))
    }

    /// Takes the next piece of the response's body.
    pub(super) fn poll_piece(
        &mut self,
        decoder: &mut Decoder,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Piece>> {
        loop {
            let piece = decoder.next(&mut self.inlet.input).map_err(io::Error::other)?;
            self.taken_by(decoder);
            if let Some(piece) = piece {
                return Poll::Ready(Ok(piece));
            }
            let Poll::Ready(more) = self.poll_fill(cx) else {
                self.waits = (self.sent != Part::All).then(|| cx.waker().clone());
                return Poll::Pending;
            };
            if !more? {
                decoder.close().map_err(io::Error::other)?;
                self.taken_by(decoder);
                return Poll::Ready(Ok(Piece::End));
            }
        }
    }

    /// Notes how far the response's body was taken.
    fn taken_by(&mut self, decoder: &Decoder) {
        self.taken = if decoder.is_done() { Part::All } else { Part::Something };
    }

    /// Ready when the connection ended, or something came that nobody asked for.
    pub(super) fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.inlet.input.is_empty() { self.poll_fill(cx).map(drop) } else { Poll::Ready(()) }
    }

    /// Reads more; `false` at the connection's end.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let Some(stream) = &mut self.stream else { return Poll::Ready(Err(gone())) };
        if ready!(self.inlet.poll_fill(stream, cx))? == 0 {
            return Poll::Ready(Ok(false));
        }
        if self.taken == Part::Nothing {
            self.taken = Part::Something;
        }
        Poll::Ready(Ok(true))
    }
}

/// Whether another response follows (RFC 9110 section 15.2). A change of protocol is the last.
pub(super) fn is_interim(status: StatusCode) -> bool {
    status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS
}

fn gone() -> io::Error {
    io::ErrorKind::NotConnected.into()
}
