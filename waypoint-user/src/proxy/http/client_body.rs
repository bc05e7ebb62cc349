//! The body of a request as it comes from a client, whatever the client speaks.

use std::task::{Context, Poll};

use http::{HeaderMap, StatusCode};
use hyper::body::{Bytes, Frame, SizeHint};

use crate::http2::{Broken, Piece, Receiving};

use super::{auth::Shown, grpc_web, http1};

/// The body of a request, as the connection from the client gives it.
pub(in crate::proxy) enum ClientBody {
    /// By HTTP/1.
    Http1(http1::Body),
    /// By HTTP/2.
    Http2(Receiving),
    /// As text that is decoded.
    Text(Box<grpc_web::Text>),
    /// There is none: what follows the request is of another protocol.
    Nothing,
    /// As it was read for somebody who was shown it.
    Shown(Box<Shown>),
}

impl ClientBody {
    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RequestBroken>>> {
        match self {
            Self::Http1(body) => body.poll_frame(cx).map_err(Into::into),
            Self::Http2(body) => body.poll_piece(cx).map_ok(frame).map_err(Into::into),
            Self::Text(text) => text.poll_frame(cx),
            Self::Nothing => Poll::Ready(None),
            Self::Shown(shown) => Poll::Ready(shown.next().map(Ok)),
        }
    }

    pub(super) fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(body) => body.is_end_stream(),
            Self::Http2(body) => body.is_end(),
            Self::Text(text) => text.is_end_stream(),
            Self::Nothing => true,
            Self::Shown(shown) => shown.is_over(),
        }
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(body) => body.size_hint(),
            Self::Http2(body) => body.left().map_or_else(SizeHint::default, SizeHint::with_exact),
            Self::Text(_) => SizeHint::default(),
            Self::Nothing => SizeHint::with_exact(0),
            Self::Shown(shown) => shown.size_hint(),
        }
    }

    /// How many of the bytes of a piece of it did not count as received before.
    pub(super) fn fresh(&self, bytes: usize) -> usize {
        match self {
            Self::Http1(_) | Self::Http2(_) | Self::Nothing => bytes,
            Self::Text(text) => text.body().fresh(bytes),
            Self::Shown(_) => 0,
        }
    }

    /// Whether the client waits to be told to send it.
    pub(super) fn awaits_leave(&self) -> bool {
        match self {
            Self::Http1(body) => body.awaits_leave(),
            Self::Http2(body) => body.awaits_leave(),
            Self::Text(text) => text.body().awaits_leave(),
            Self::Nothing | Self::Shown(_) => false,
        }
    }

    /// Tells the client what comes before its final response.
    pub(super) fn hint(&self, status: StatusCode, headers: &HeaderMap) {
        match self {
            Self::Http1(body) => body.hint(status, headers),
            Self::Http2(body) => body.hint(status, headers),
            Self::Text(text) => text.body().hint(status, headers),
            Self::Nothing | Self::Shown(_) => {}
        }
    }
}

fn frame(piece: Piece) -> Frame<Bytes> {
    match piece {
        Piece::Data(bytes) => Frame::data(bytes),
        Piece::Trailers(trailers) => Frame::trailers(trailers),
    }
}

/// A request's body that broke.
#[derive(Debug, thiserror::Error)]
pub(in crate::proxy) enum RequestBroken {
    /// By HTTP/1.
    #[error(transparent)]
    Http1(#[from] http1::Broken),
    /// By HTTP/2.
    #[error(transparent)]
    Http2(#[from] Broken),
    /// It is not the text that it was to be.
    #[error(transparent)]
    Text(#[from] grpc_web::NotText),
    /// By us: a mirror was too slow, or what is copied broke off itself.
    #[error("the copy of a request was cut off")]
    CutOff,
}

impl RequestBroken {
    pub(super) fn breach(&self) -> Breach {
        match self {
            Self::Http1(broken) if broken.is_malformed() => Breach::Malformed,
            Self::Http2(Broken::Malformed(_)) | Self::Text(_) => Breach::Malformed,
            Self::Http1(_) | Self::Http2(_) | Self::CutOff => Breach::Gone,
        }
    }
}

/// How a client broke a body off.
#[derive(Clone, Copy, Debug)]
pub(super) enum Breach {
    /// It went away.
    Gone,
    /// It sent what is none.
    Malformed,
}
