//! The body of a request as it comes from a client, whatever the client speaks.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use http::{HeaderMap, StatusCode};
use hyper::body::{Body as _, Bytes, Frame, Incoming, SizeHint};

use super::{grpc_web, http1};

/// The body of a request, as the connection from the client gives it.
pub(in crate::proxy) enum ClientBody {
    /// By HTTP/1.
    Http1(http1::Body),
    /// By HTTP/2.
    Http2(Incoming),
    /// As text that is decoded.
    Text(Box<grpc_web::Text>),
}

impl ClientBody {
    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RequestBroken>>> {
        match self {
            Self::Http1(body) => body.poll_frame(cx).map_err(Into::into),
            Self::Http2(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
            Self::Text(text) => text.poll_frame(cx),
        }
    }

    pub(super) fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(body) => body.is_end_stream(),
            Self::Http2(body) => body.is_end_stream(),
            Self::Text(text) => text.is_end_stream(),
        }
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(body) => body.size_hint(),
            Self::Http2(body) => body.size_hint(),
            Self::Text(_) => SizeHint::default(),
        }
    }

    /// Whether the client waits to be told to send it.
    pub(super) fn awaits_leave(&self) -> bool {
        match self {
            Self::Http1(body) => body.awaits_leave(),
            Self::Http2(_) => false,
            Self::Text(text) => text.body().awaits_leave(),
        }
    }

    /// Tells the client what comes before its final response. hyper has no way to say such a thing.
    pub(super) fn hint(&self, status: StatusCode, headers: &HeaderMap) {
        match self {
            Self::Http1(body) => body.hint(status, headers),
            Self::Http2(_) => {}
            Self::Text(text) => text.body().hint(status, headers),
        }
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
    Http2(#[from] hyper::Error),
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
            Self::Text(_) => Breach::Malformed,
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
