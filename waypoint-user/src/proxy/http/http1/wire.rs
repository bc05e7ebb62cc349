//! The bytes of a connection from a client, in both directions.
//!
//! **Invariant:** no more is read than somebody asks for: the body of a request by whoever sends it
//! on, and behind it at most one piece, to hear whether the client is still there.
//! **Invariant:** a request is read only after all of the one before was taken.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

use bytes::Bytes;
use tokio::io::AsyncWrite as _;

use crate::{
    http1::{self, Decoder, Malformed, Piece, parse_request},
    proxy::{inlet::Inlet, outlet::Outlet, stream::Stream},
};

/// The bytes of a connection, and how far the request on it is.
pub(super) struct Wire {
    /// `None` once somebody took it, or it broke.
    stream: Option<Stream>,
    /// What came and was not taken.
    inlet: Inlet,
    /// Whether what came may hold more of a head than when it was looked at.
    has_line: bool,
    /// What waits to be sent.
    pub(super) outlet: Outlet,
    /// The body of the request.
    body: Body,
    /// Whether the client waits to be told to send the body.
    awaits_leave: bool,
    /// Whether the final response has not begun, and the client understands what comes before it.
    takes_hints: bool,
    /// Who waits for the end of the body.
    waits: Option<Waker>,
}

/// How much of a request's body was taken.
#[derive(Clone, Copy, Debug)]
enum Body {
    /// All of it.
    Taken,
    /// Somebody takes it.
    InHand,
    /// Nobody takes what is left.
    Left(Decoder),
    /// It is none.
    Malformed,
    /// It ended before its end.
    Cut,
}

/// Why there is no request.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoRequest {
    /// The client ended the connection.
    #[error("the client ended the connection")]
    Ended,
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
    /// What came is none.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

impl Wire {
    /// Of a stream of which `first` was read.
    pub(super) fn new(stream: Stream, first: Bytes) -> Self {
        Self {
            stream: Some(stream),
            inlet: Inlet::new(first),
            has_line: true,
            outlet: Outlet::default(),
            body: Body::Taken,
            awaits_leave: false,
            takes_hints: false,
            waits: None,
        }
    }

    /// Whether a request has begun to come.
    pub(super) fn has_begun(&self) -> bool {
        !self.inlet.input.is_empty()
    }

    /// Goes on to the next request, and lets go of what only a long body needed.
    pub(super) fn rest(&mut self) {
        self.has_line = true;
        self.inlet.rest();
        self.outlet.rest();
    }

    /// Takes the head of the next request.
    pub(super) fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<http1::Request, NoRequest>> {
        loop {
            // Who sends a long head slowly does not make us look at all of it for each piece.
            if std::mem::take(&mut self.has_line)
                && self.has_begun()
                && let Some(request) = parse_request(&mut self.inlet.input)?
            {
                return Poll::Ready(Ok(request));
            }
            let before = self.inlet.input.len();
            if ready!(self.poll_fill(cx))? == 0 {
                return Poll::Ready(Err(NoRequest::Ended));
            }
            let more = self.inlet.input.get(before..).unwrap_or_default();
            let is_long = self.inlet.input.len() > http1::HEADER_BYTES_MAX;
            self.has_line = is_long || more.contains(&b'\n');
        }
    }

    /// Hands out the body of the request, which `decoder` takes. The client may wait to be told to
    /// send it, and may understand what comes before the final response.
    pub(super) fn hand_out(&mut self, decoder: &Decoder, (leave, hints): (bool, bool)) {
        self.body = if decoder.is_done() { Body::Taken } else { Body::InHand };
        (self.awaits_leave, self.takes_hints) = (leave, hints);
    }

    /// Whether the client waits to be told to send the body, and did not send it all the same.
    pub(super) fn awaits_leave(&self) -> bool {
        self.awaits_leave && !self.has_begun()
    }

    /// Whether the client may be told what comes before the final response.
    pub(super) fn takes_hints(&self) -> bool {
        self.takes_hints
    }

    /// Takes the next piece of the request's body.
    pub(super) fn poll_piece(
        &mut self,
        decoder: &mut Decoder,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Piece, NoRequest>> {
        if !matches!(self.body, Body::InHand) {
            return Poll::Ready(Err(NoRequest::Ended));
        }
        self.give_leave(cx);
        let piece = loop {
            match decoder.next(&mut self.inlet.input) {
                Ok(Some(piece)) => break Ok(piece),
                Err(cause) => break Err(cause.into()),
                Ok(None) => match ready!(self.poll_fill(cx)) {
                    Ok(0) => break Err(NoRequest::Ended),
                    Ok(_) => {}
                    Err(cause) => break Err(cause.into()),
                },
            }
        };
        match &piece {
            Ok(_) if !decoder.is_done() => {}
            Ok(_) => self.body_is(Body::Taken),
            Err(NoRequest::Malformed(_)) => self.body_is(Body::Malformed),
            Err(_) => self.body_is(Body::Cut),
        }
        Poll::Ready(piece)
    }

    /// Takes back a body of which nobody takes what is left.
    pub(super) fn take_back(&mut self, decoder: Decoder) {
        if let Body::InHand = self.body {
            self.body_is(Body::Left(decoder));
        }
    }

    /// Whether nothing of the request is left to come; what came of a body that nobody wants is
    /// passed over.
    pub(super) fn is_clean(&mut self) -> bool {
        if let Body::Left(decoder) = &mut self.body {
            let last = loop {
                match decoder.next(&mut self.inlet.input) {
                    Ok(Some(Piece::Data(_))) => {}
                    Ok(Some(Piece::Trailers(_) | Piece::End)) => break Body::Taken,
                    Ok(None) => break Body::Left(*decoder),
                    Err(_) => break Body::Malformed,
                }
            };
            self.body = last;
        }
        matches!(self.body, Body::Taken)
    }

    /// Whether somebody still takes the request's body.
    pub(super) fn is_in_hand(&self) -> bool {
        matches!(self.body, Body::InHand)
    }

    /// Whether the client ended the connection within the request's body.
    pub(super) fn is_cut(&self) -> bool {
        matches!(self.body, Body::Cut)
    }

    /// Sends on what waits, and is ready when the client is gone.
    pub(super) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Poll::Ready(Err(_)) = self.poll_send(cx) {
            return Poll::Ready(());
        }
        match self.body {
            // Whoever takes it hears of the client.
            Body::InHand => {
                self.waits = Some(cx.waker().clone());
                Poll::Pending
            }
            // What comes behind a body that nobody wants, or that is none, tells nothing.
            Body::Left(_) | Body::Malformed | Body::Cut => Poll::Pending,
            // What came already waits for its turn, and nothing more is read meanwhile.
            Body::Taken if self.has_begun() => Poll::Pending,
            Body::Taken => match ready!(self.poll_fill(cx)) {
                Ok(0) | Err(_) => Poll::Ready(()),
                Ok(_) => Poll::Pending,
            },
        }
    }

    /// How many bytes wait to be sent.
    pub(super) fn waiting(&self) -> usize {
        self.outlet.waiting()
    }

    /// Sends all that waits.
    pub(super) fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outlet.is_empty() {
            let Some(stream) = &mut self.stream else { return Poll::Ready(Err(gone())) };
            ready!(self.outlet.poll_send(stream, cx))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Sends what there is room for, before the connection is cut.
    pub(super) fn send_last(&mut self, cx: &mut Context<'_>) {
        while !self.outlet.is_empty() {
            let Some(stream) = &mut self.stream else { return };
            let Poll::Ready(Ok(())) = self.outlet.poll_send_now(stream, cx) else { return };
        }
    }

    /// Ends our side.
    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        let Some(stream) = &mut self.stream else { return Poll::Ready(Err(gone())) };
        Pin::new(stream).poll_shutdown(cx)
    }

    /// Reads on, and forgets it; returns how much it was, nothing at the end.
    pub(super) fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.inlet.input = Bytes::new();
        self.poll_fill(cx)
    }

    /// Makes the connection end with a reset.
    pub(super) fn reset(&mut self) {
        if let Some(stream) = &mut self.stream {
            stream.reset_on_drop();
        }
    }

    /// The final response begins: nothing comes before it any more.
    pub(super) fn answered(&mut self) {
        (self.awaits_leave, self.takes_hints) = (false, false);
    }

    /// The stream, with what came and was not taken.
    pub(super) fn take(&mut self) -> Option<(Stream, Bytes)> {
        let input = std::mem::take(&mut self.inlet.input);
        self.stream.take().map(|stream| (stream, input))
    }

    /// Tells a client that waits for it to send the body, because somebody wants it
    /// (RFC 9110 section 10.1.1).
    fn give_leave(&mut self, cx: &mut Context<'_>) {
        let awaits = self.awaits_leave();
        if std::mem::take(&mut self.awaits_leave) && awaits {
            self.outlet.queue().push_back(Bytes::from_static(CONTINUE));
            // What cannot be sent now is sent by whoever waits for the response.
            if self.poll_send(cx).is_pending()
                && let Some(waits) = self.waits.take()
            {
                waits.wake();
            }
        }
    }

    fn body_is(&mut self, body: Body) {
        self.body = body;
        if let Some(waits) = self.waits.take() {
            waits.wake();
        }
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Some(stream) = &mut self.stream else { return Poll::Ready(Err(gone())) };
        self.inlet.poll_fill(stream, cx)
    }
}

fn gone() -> io::Error {
    io::ErrorKind::NotConnected.into()
}

/// What a client waits for before it sends a body.
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
