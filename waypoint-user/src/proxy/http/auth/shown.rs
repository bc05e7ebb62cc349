//! The body of a request that whoever is asked is shown.
//!
//! It is read whole before anybody is asked, and goes on to the endpoint from memory.
//!
//! **Invariant:** nobody is shown a part of a body: one that is longer than may be shown, or does
//! not come to its end, is refused.
//! **Invariant:** what it holds counts for the worker until it is sent on.

use std::{
    future::poll_fn,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use hyper::body::{Frame, SizeHint};
use tokio::time::{Instant, timeout_at};

use crate::proxy::{
    limits::{AUTH_BODY_BYTES_MAX, AUTH_BODY_TIMEOUT},
    overload::{Held, Overload},
    respond::Fault,
};

use super::super::{
    body::{Progress, poll_client},
    client_body::{ClientBody, RequestBroken},
};

/// A body that was read to its end, and waits to be sent on.
pub(in crate::proxy) struct Shown {
    bytes: Bytes,
    trailers: Option<HeaderMap>,
    _held: Held,
}

impl Shown {
    /// What is left of it, piece by piece.
    pub(in crate::proxy::http) fn next(&mut self) -> Option<Frame<Bytes>> {
        if self.bytes.is_empty() {
            return self.trailers.take().map(Frame::trailers);
        }
        Some(Frame::data(std::mem::take(&mut self.bytes)))
    }

    pub(in crate::proxy::http) fn is_over(&self) -> bool {
        self.bytes.is_empty() && self.trailers.is_none()
    }

    /// How long it is. With trailers it has no length by which it could be framed.
    pub(in crate::proxy::http) fn size_hint(&self) -> SizeHint {
        let length = self.bytes.len() as u64;
        self.trailers.as_ref().map_or_else(|| SizeHint::with_exact(length), |_| SizeHint::default())
    }
}

/// Reads a body that is shown as far as so many bytes, and puts what was read in its place. What is
/// read counts as received, whatever becomes of it.
pub(super) async fn show(
    body: &mut ClientBody,
    most: usize,
    overload: &Overload,
    progress: &Progress,
) -> Result<Bytes, Fault> {
    let most = most.min(AUTH_BODY_BYTES_MAX);
    let told = body.size_hint().exact();
    if told.is_some_and(|told| usize::try_from(told).map_or(true, |told| told > most)) {
        return Err(Fault::TooLarge);
    }
    let shown = match read(|cx| poll_client(body, progress, cx), most, overload.hold()).await {
        Ok(shown) => shown,
        Err(Unread::Refused(fault)) => return Err(fault),
        Err(Unread::Broken) => return Err(progress.blame(Fault::ClientGone)),
    };
    let bytes = shown.bytes.clone();
    *body = ClientBody::Shown(Box::new(shown));
    Ok(bytes)
}

/// Why a body was not read to its end.
#[derive(Debug)]
enum Unread {
    Broken,
    Refused(Fault),
}

async fn read(
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, RequestBroken>>>,
    most: usize,
    mut held: Held,
) -> Result<Shown, Unread> {
    let (mut all, mut trailers) = (BytesMut::new(), None);
    let until = Instant::now() + AUTH_BODY_TIMEOUT;
    let late = |_| Unread::Refused(Fault::SlowBody);
    while let Some(frame) = timeout_at(until, poll_fn(&mut poll)).await.map_err(late)? {
        match frame.map_err(|_| Unread::Broken)?.into_data() {
            Ok(bytes) if bytes.len() > most - all.len() => {
                return Err(Unread::Refused(Fault::TooLarge));
            }
            Ok(bytes) => {
                held.grow(bytes.len()).map_err(Unread::Refused)?;
                all.extend_from_slice(&bytes);
            }
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    Ok(Shown { bytes: all.freeze(), trailers, _held: held })
}

#[cfg(test)]
mod tests;
