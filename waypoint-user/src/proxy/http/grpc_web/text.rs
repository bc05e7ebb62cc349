//! A request's body that comes in base64, which a client may cut and pad wherever it likes.
//!
//! **Invariant:** of what came, at most three characters wait for more.

use std::task::{Context, Poll, ready};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hyper::body::{Bytes, Frame};

use crate::proxy::http::client_body::{ClientBody, RequestBroken};

/// The body that a client's text stands for.
pub(in crate::proxy) struct Text {
    body: ClientBody,
    decoder: Decoder,
}

impl Text {
    /// Of the text.
    pub(in crate::proxy::http) fn new(body: ClientBody) -> Self {
        Self { body, decoder: Decoder::default() }
    }

    /// The text.
    pub(in crate::proxy::http) fn body(&self) -> &ClientBody {
        &self.body
    }

    /// The next piece.
    pub(in crate::proxy::http) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RequestBroken>>> {
        loop {
            let frame = match ready!(self.body.poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                Some(Err(cause)) => return Poll::Ready(Some(Err(cause))),
                None => {
                    return Poll::Ready(self.decoder.end().err().map(|cause| Err(cause.into())));
                }
            };
            let decoded = match frame.into_data() {
                Ok(text) => self.decoder.decode(&text),
                Err(trailers) => {
                    let ended = self.decoder.end().map(|()| trailers);
                    return Poll::Ready(Some(ended.map_err(Into::into)));
                }
            };
            match decoded {
                Ok(bytes) if bytes.is_empty() => {}
                Ok(bytes) => return Poll::Ready(Some(Ok(Frame::data(bytes.into())))),
                Err(cause) => return Poll::Ready(Some(Err(cause.into()))),
            }
        }
    }

    /// Whether nothing comes any more, not even an error.
    pub(in crate::proxy::http) fn is_end_stream(&self) -> bool {
        self.body.is_end_stream() && self.decoder.rest.is_empty()
    }
}

/// Decodes text that comes in pieces.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    /// The beginning of a group of four characters.
    rest: Vec<u8>,
}

impl Decoder {
    /// The bytes that are whole with this piece of the text.
    pub(super) fn decode(&mut self, text: &[u8]) -> Result<Vec<u8>, NotText> {
        self.rest.extend_from_slice(text);
        let all = std::mem::take(&mut self.rest);
        let (mut groups, rest) = all.split_at(all.len() / GROUP * GROUP);
        self.rest = rest.to_vec();
        let mut bytes = Vec::with_capacity(groups.len() / GROUP * 3);
        while !groups.is_empty() {
            // Padding ends what was encoded at once, and more may follow.
            let padding = groups.iter().position(|character| *character == b'=');
            let end = padding.map_or(groups.len(), |padding| (padding / GROUP + 1) * GROUP);
            let (part, more) = groups.split_at(end);
            STANDARD.decode_vec(part, &mut bytes).map_err(|_| NotText::Character)?;
            groups = more;
        }
        Ok(bytes)
    }

    /// How many characters wait for more.
    #[cfg(test)]
    pub(super) fn rest_len(&self) -> usize {
        self.rest.len()
    }

    /// Whether the text may end here.
    pub(super) fn end(&mut self) -> Result<(), NotText> {
        let ended = self.rest.is_empty();
        self.rest.clear();
        if ended { Ok(()) } else { Err(NotText::Cut) }
    }
}

/// Why text stands for nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(in crate::proxy) enum NotText {
    /// It is no base64.
    #[error("the body is not base64, which its content type promises")]
    Character,
    /// Its end is missing.
    #[error("the body ends within a group of four characters of base64")]
    Cut,
}

/// Characters that stand for three bytes together.
const GROUP: usize = 4;
