//! gRPC-Web toward clients, gRPC toward endpoints (gRPC `doc/PROTOCOL-WEB.md`).
//!
//! Pieces of a body are translated one for one, as they come; no message is put together. What
//! pages of other origins may ask is the routes' to say.
//!
//! **Invariant:** a client is told a status only if the endpoint told one.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{
    HeaderMap, HeaderValue,
    header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, TE},
};
use hyper::body::{Bytes, Frame};

pub(super) use self::text::{NotText, Text};

mod text;

/// How a client speaks gRPC-Web.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::proxy) struct GrpcWeb {
    asks: Coding,
    hears: Coding,
}

/// How bytes are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Coding {
    /// As they are.
    Bytes,
    /// In base64, each piece with padding of its own.
    Text,
}

impl GrpcWeb {
    /// How the sender of a request speaks it, if it does. A response is coded as it accepts it,
    /// else like its request.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let (asks, _) = dialect(headers.get(CONTENT_TYPE)?)?;
        let accepted = headers.get(ACCEPT).and_then(dialect);
        Some(Self { asks, hears: accepted.map_or(asks, |(coding, _)| coding) })
    }

    /// Whether the bodies of its requests are text.
    pub(super) fn asks_in_text(self) -> bool {
        self.asks == Coding::Text
    }

    /// The content type of answers of our own.
    pub(super) fn content_type(self) -> &'static str {
        match self.hears {
            Coding::Bytes => "application/grpc-web+proto",
            Coding::Text => "application/grpc-web-text+proto",
        }
    }

    /// Makes a request's fields those of gRPC.
    pub(super) fn translate_request(headers: &mut HeaderMap) {
        let format = headers.get(CONTENT_TYPE).and_then(dialect).map_or("", |(_, format)| format);
        if let Ok(kind) = HeaderValue::from_str(&format!("{GRPC}{format}")) {
            headers.insert(CONTENT_TYPE, kind);
        }
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.remove(CONTENT_LENGTH);
    }

    /// Makes a response's fields those of gRPC-Web; `false` for what is no response of gRPC, and
    /// stays as it is. A status among them, of a call without a message, stays there.
    pub(super) fn translate_response(self, headers: &mut HeaderMap) -> bool {
        let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let format = match kind.and_then(|kind| essence(kind).strip_prefix(GRPC)) {
            Some("") => "+proto",
            Some(format) if format.starts_with('+') => format,
            _ => return false,
        };
        let text = if self.hears == Coding::Text { TEXT } else { "" };
        let kind = HeaderValue::from_str(&format!("{GRPC}{WEB}{text}{format}"));
        if let Ok(kind) = kind {
            headers.insert(CONTENT_TYPE, kind);
        }
        true
    }

    /// A piece of a response as the client hears it; trailers become the last frame.
    pub(super) fn translate(self, frame: Frame<Bytes>) -> Frame<Bytes> {
        let bytes = match frame.into_data() {
            Ok(bytes) => bytes,
            Err(frame) => match frame.into_trailers() {
                Ok(trailers) => trailers_frame(&trailers),
                Err(other) => return other,
            },
        };
        Frame::data(match self.hears {
            Coding::Bytes => bytes,
            Coding::Text => STANDARD.encode(bytes).into(),
        })
    }
}

/// The coding and the format that a media type of gRPC-Web names; a format begins with `+`.
fn dialect(kind: &HeaderValue) -> Option<(Coding, &str)> {
    let rest = essence(kind.to_str().ok()?).strip_prefix(GRPC)?.strip_prefix(WEB)?;
    let (coding, format) = match rest.strip_prefix(TEXT) {
        Some(format) => (Coding::Text, format),
        None => (Coding::Bytes, rest),
    };
    (format.is_empty() || format.starts_with('+')).then_some((coding, format))
}

/// A media type without its parameters.
fn essence(kind: &str) -> &str {
    kind.split(';').next().unwrap_or_default().trim()
}

/// The frame that stands for trailers.
fn trailers_frame(trailers: &HeaderMap) -> Bytes {
    let mut lines = Vec::new();
    for (name, value) in trailers {
        for part in [name.as_str().as_bytes(), b":", value.as_bytes(), b"\r\n"] {
            lines.extend_from_slice(part);
        }
    }
    // Fields are limited to far less than that.
    let len = u32::try_from(lines.len()).unwrap_or(u32::MAX);
    let mut frame = Vec::with_capacity(FRAME_HEAD_BYTES + lines.len());
    frame.push(TRAILERS);
    frame.extend_from_slice(&len.to_be_bytes());
    frame.extend_from_slice(&lines);
    frame.into()
}

/// How media types of gRPC begin, and what marks those of gRPC-Web, and its text.
const GRPC: &str = "application/grpc";
const WEB: &str = "-web";
const TEXT: &str = "-text";

/// The flags of a frame of trailers.
const TRAILERS: u8 = 0x80;
/// Flags and length of a frame.
const FRAME_HEAD_BYTES: usize = 5;

#[cfg(test)]
mod tests;
