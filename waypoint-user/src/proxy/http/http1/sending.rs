//! A response on its way to a client.
//!
//! **Invariant:** no more of a body is asked for while the client does not take what waits; what
//! ends a response ends it then, too.

use std::{
    cell::RefCell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Response, StatusCode, Version};
use hyper::body::Body as _;

use crate::{
    http1::{Encoder, Framing, ResponseHead, http_date, write_response},
    proxy::http::body::ResponseBody,
};

use super::{talk::Asked, wire::Wire};

/// A response on its way to a client.
pub(super) struct Sending {
    /// What is left of the body.
    pub(super) body: ResponseBody,
    /// Whether the connection stays open after it.
    pub(super) keeps: bool,
    /// How the body ends.
    pub(super) framing: Framing,
    encoder: Encoder,
    /// Whether the client takes trailers.
    takes_trailers: bool,
    /// Whether all of the body was taken.
    taken: bool,
}

/// How far a response came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sent {
    /// All of it was sent.
    All,
    /// It broke.
    Broken,
    /// The client is gone.
    Gone,
}

impl Sending {
    /// Puts a response's head in front of what is sent.
    pub(super) fn begin(response: Response<ResponseBody>, asked: Asked, wire: &mut Wire) -> Self {
        let (head, mut body) = response.into_parts();
        let is_change = matches!(body, ResponseBody::Tunnel(_));
        let (framing, length) = framing(head.status, &body, asked);
        if framing == Framing::None && matches!(body, ResponseBody::Text(_)) {
            body = ResponseBody::Empty;
        }
        let keeps = asked.keeps && framing != Framing::UntilClose;
        let connection = match asked.version {
            _ if is_change => None,
            Version::HTTP_10 => keeps.then_some("keep-alive"),
            _ => (!keeps).then_some("close"),
        };
        let mut headers = head.headers;
        if let Some(length) = length {
            headers.insert(http::header::CONTENT_LENGTH, length.into());
        }
        write_head(
            &ResponseHead {
                version: asked.version,
                status: head.status,
                headers: &headers,
                framing,
                connection,
                date: "",
            },
            wire,
        );
        let taken = is_change || body.is_end_stream();
        let encoder = Encoder::new(framing);
        let takes_trailers = asked.takes_trailers;
        Self { body, keeps, framing, encoder, takes_trailers, taken }
    }

    /// Sends to the end.
    pub(super) fn poll(&mut self, wire: &Rc<RefCell<Wire>>, cx: &mut Context<'_>) -> Poll<Sent> {
        loop {
            // A short body leaves together with the head.
            let more = match self.poll_fill(wire, cx) {
                Poll::Ready(Err(Stopped)) => {
                    // What came before it broke was meant for the client.
                    wire.borrow_mut().send_last(cx);
                    return Poll::Ready(Sent::Broken);
                }
                Poll::Ready(Ok(())) => Poll::Ready(()),
                Poll::Pending => Poll::Pending,
            };
            let mut wire = wire.borrow_mut();
            let waiting = wire.waiting();
            match wire.poll_send(cx) {
                Poll::Pending => {
                    if wire.waiting() < waiting {
                        self.body.moved();
                    }
                    // A client that does not read may do so no longer than it may be answered.
                    return self.body.poll_over(cx).map(|_| Sent::Broken);
                }
                Poll::Ready(Err(_)) => return Poll::Ready(Sent::Gone),
                Poll::Ready(Ok(())) => {}
            }
            if self.taken {
                return Poll::Ready(Sent::All);
            }
            if more.is_pending() {
                return wire.poll_gone(cx).map(|()| Sent::Gone);
            }
        }
    }

    /// Takes more of the body while there is room.
    fn poll_fill(
        &mut self,
        wire: &RefCell<Wire>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Stopped>> {
        let mut waiting = wire.borrow().waiting();
        while !self.taken && waiting < WAITING_BYTES_MAX {
            let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
                return Poll::Pending;
            };
            let mut wire = wire.borrow_mut();
            let encoded = match frame {
                Some(Err(_)) => return Poll::Ready(Err(Stopped)),
                None => self.end(None, &mut wire),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) => {
                        waiting += bytes.len();
                        self.data(bytes, &mut wire)
                    }
                    Err(frame) => self.end(frame.trailers_ref(), &mut wire),
                },
            };
            if encoded.is_err() {
                return Poll::Ready(Err(Stopped));
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Takes a piece of the body, and its end where that is known already.
    fn data(&mut self, bytes: Bytes, wire: &mut Wire) -> Result<(), Stopped> {
        self.encoder.data(bytes, wire.outlet.queue()).map_err(|_| Stopped)?;
        if self.body.is_end_stream() { self.end(None, wire) } else { Ok(()) }
    }

    fn end(&mut self, trailers: Option<&HeaderMap>, wire: &mut Wire) -> Result<(), Stopped> {
        self.taken = true;
        let trailers = trailers.filter(|_| self.takes_trailers);
        self.encoder.end(trailers, wire.outlet.queue()).map_err(|_| Stopped)
    }
}

/// A body that broke.
struct Stopped;

/// How a response's body is framed, and the length that is told of one that is not sent.
fn framing(status: StatusCode, body: &ResponseBody, asked: Asked) -> (Framing, Option<u64>) {
    let length = body.size_hint().exact();
    if matches!(body, ResponseBody::Tunnel(_))
        || status.is_informational()
        || [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&status)
    {
        return (Framing::None, None);
    }
    if asked.is_head {
        return (Framing::None, length.filter(|length| *length > 0));
    }
    let framing = match length {
        Some(length) => Framing::Length(length),
        None if asked.version == Version::HTTP_10 => Framing::UntilClose,
        None => Framing::Chunked,
    };
    (framing, None)
}

/// Writes a head to memory that all connections of a thread share.
pub(super) fn write_head(head: &ResponseHead<'_>, wire: &mut Wire) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let bytes = HEADS.with_borrow_mut(|heads| {
        if heads.date.0 != now {
            heads.date = (now, http_date(now));
        }
        write_response(&ResponseHead { date: &heads.date.1, ..*head }, &mut heads.memory);
        heads.memory.split().freeze()
    });
    wire.outlet.queue().push_back(bytes);
}

/// What a thread writes heads with.
struct Heads {
    memory: BytesMut,
    /// The current date, and the second that it is of.
    date: (u64, String),
}

thread_local! {
    static HEADS: RefCell<Heads> = RefCell::new(Heads {
        memory: BytesMut::with_capacity(HEADS_BYTES),
        date: (0, http_date(0)),
    });
}

/// Memory for heads; more is taken while clients do not take theirs.
const HEADS_BYTES: usize = 8 * 1024;

/// Bytes that may wait to be sent before more of the body is taken.
const WAITING_BYTES_MAX: usize = 64 * 1024;
