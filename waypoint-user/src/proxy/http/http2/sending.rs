//! A response on its way to a client.
//!
//! **Invariant:** of a body, no more than one piece is held while the client has no room for it;
//! what ends a response ends it then, too.
//! **Invariant:** a response that broke never looks complete; its stream is reset.

use std::{
    cell::RefCell,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use hyper::body::Body as _;

use crate::{
    http1::http_date,
    http2::{Broken, Reason, Sending},
    proxy::http::body::ResponseBody,
};

/// Sends a response to a request, which may have been a HEAD.
pub(super) async fn send(response: Response<ResponseBody>, to_head: bool, reply: &mut Sending) {
    let (head, mut body) = response.into_parts();
    let mut headers = head.headers;
    let is_bare = BARE.contains(&head.status);
    let length = body.size_hint().exact().filter(|length| !to_head || *length > 0);
    if let Some(length) = length.filter(|_| !is_bare) {
        headers.insert(header::CONTENT_LENGTH, length.into());
    }
    if (to_head || is_bare) && matches!(body, ResponseBody::Text(_)) {
        body = ResponseBody::Empty;
    }
    let ends = body.is_end_stream();
    let mut sent = reply.respond(head.status, &dated(headers), ends);
    if sent.is_ok() && !ends {
        let mut on_its_way = OnItsWay { body, piece: Bytes::new(), is_last: false };
        sent = poll_fn(|cx| on_its_way.poll(reply, cx)).await;
    }
    if let Err(broken) = sent {
        tracing::trace!(%broken, "a response was not sent to its end");
    }
}

/// The body of a response on its way.
struct OnItsWay {
    body: ResponseBody,
    /// What was taken of it, and not sent.
    piece: Bytes,
    /// Whether that is the last of it.
    is_last: bool,
}

impl OnItsWay {
    /// Sends to the end.
    fn poll(&mut self, reply: &mut Sending, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        loop {
            if !self.piece.is_empty() {
                if self.poll_piece(reply, cx)?.is_pending() {
                    // A client that does not read may do so no longer than it may be answered.
                    return self.body.poll_over(cx).map(|_| stop(reply));
                }
                if self.is_last {
                    return Poll::Ready(Ok(()));
                }
            }
            let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
                return reply.poll_reset(cx).map(Err);
            };
            let frame = match frame {
                Some(Ok(frame)) => frame,
                Some(Err(_)) => return Poll::Ready(stop(reply)),
                None => return Poll::Ready(reply.end()),
            };
            match frame.into_data() {
                Ok(piece) => {
                    (self.piece, self.is_last) = (piece, self.body.is_end_stream());
                    if self.is_last && self.piece.is_empty() {
                        return Poll::Ready(reply.end());
                    }
                }
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap_or_default();
                    return Poll::Ready(reply.trailers(&trailers));
                }
            }
        }
    }

    /// Sends the piece.
    fn poll_piece(
        &mut self,
        reply: &mut Sending,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Broken>> {
        let before = self.piece.len();
        let sent = reply.poll_send(&mut self.piece, self.is_last, cx);
        if self.piece.len() < before {
            self.body.moved();
        }
        ready!(sent)?;
        Poll::Ready(Ok(()))
    }
}

/// Resets the stream of a response that does not go on.
fn stop(reply: &mut Sending) -> Result<(), Broken> {
    reply.reset(Reason::INTERNAL_ERROR);
    Err(Broken::Dropped)
}

/// The fields of a response, with its date.
pub(super) fn dated(mut headers: HeaderMap) -> HeaderMap {
    if !headers.contains_key(header::DATE) {
        headers.insert(header::DATE, date());
    }
    headers
}

/// The date, which is made once in a second.
fn date() -> HeaderValue {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    DATE.with_borrow_mut(|(second, date)| {
        if *second != now {
            let text = HeaderValue::try_from(http_date(now));
            (*second, *date) = (now, text.unwrap_or(HeaderValue::from_static("")));
        }
        date.clone()
    })
}

thread_local! {
    /// The second that it is, and the date.
    static DATE: RefCell<(u64, HeaderValue)> =
        const { RefCell::new((u64::MAX, HeaderValue::from_static(""))) };
}

/// Statuses of responses that have no body.
const BARE: [StatusCode; 2] = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED];
