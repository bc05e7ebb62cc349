//! What a connection speaks, told from its first bytes.
//!
//! A declared protocol wins; where it is HTTP, either version is understood. Where none is
//! declared, a request line or the preface of HTTP/2 makes it HTTP. A client may also be silent,
//! because there are protocols in which the server speaks first; what becomes of it then is not
//! decided here.
//!
//! **Invariant:** the bytes that were looked at are not lost; they come first when the stream is
//! read.

use std::{io, time::Duration};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::AsyncReadExt,
    time::{Instant, timeout_at},
};

use crate::mesh::service::AppProtocol;

use super::{
    limits::{FIRST_BYTES_TIMEOUT, SNIFF_BYTES_MAX},
    stream::Stream,
};

/// What a connection speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Spoken {
    /// HTTP/1.
    Http1,
    /// HTTP/2 with prior knowledge.
    Http2,
    /// Anything.
    Opaque,
}

/// What a connection speaks, and what was read to tell.
#[derive(Debug)]
pub(super) struct Sniffed {
    pub(super) spoken: Spoken,
    pub(super) first: Bytes,
    /// Whether the deadline passed without a byte, on a port whose protocol is not declared.
    pub(super) silent: bool,
}

impl Sniffed {
    fn new(spoken: Spoken, first: impl Into<Bytes>) -> Self {
        Self { spoken, first: first.into(), silent: false }
    }
}

/// Looks at the first bytes of a connection. An error means that the client is gone or, where HTTP
/// is declared, that it says nothing.
pub(super) async fn sniff(
    stream: &mut Stream,
    declared: AppProtocol,
    deadline: Duration,
) -> io::Result<Sniffed> {
    let (patience, otherwise) = match declared {
        AppProtocol::Tcp => return Ok(Sniffed::new(Spoken::Opaque, Bytes::new())),
        AppProtocol::Detect => (deadline, Spoken::Opaque),
        AppProtocol::Http => (FIRST_BYTES_TIMEOUT, Spoken::Http1),
        // Whoever speaks neither is told so in what is declared.
        AppProtocol::Http2 => (FIRST_BYTES_TIMEOUT, Spoken::Http2),
    };
    let until = Instant::now() + patience;
    let mut first = BytesMut::with_capacity(SNIFF_BYTES_MAX);
    loop {
        let read = match timeout_at(until, stream.read_buf(&mut first)).await {
            Ok(read) => read?,
            Err(_) if declared == AppProtocol::Detect && first.is_empty() => {
                return Ok(Sniffed { silent: true, ..Sniffed::new(Spoken::Opaque, first) });
            }
            Err(_) if declared == AppProtocol::Detect || !first.is_empty() => 0,
            Err(_) => return Err(io::ErrorKind::TimedOut.into()),
        };
        let spoken = match tell(&first) {
            Guess::Is(Spoken::Opaque) => otherwise,
            Guess::Is(spoken) => spoken,
            Guess::Unclear if read > 0 && first.len() < SNIFF_BYTES_MAX => continue,
            Guess::Unclear => otherwise,
        };
        return Ok(Sniffed::new(spoken, first));
    }
}

/// What first bytes mean.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Guess {
    /// This.
    Is(Spoken),
    /// More bytes are needed.
    Unclear,
}

/// Tells what the first bytes mean.
fn tell(first: &[u8]) -> Guess {
    if first.is_empty() {
        return Guess::Unclear;
    }
    if first.starts_with(PREFACE) {
        return Guess::Is(Spoken::Http2);
    }
    if PREFACE.starts_with(first) {
        return Guess::Unclear;
    }
    let is_method = |byte: &u8| byte.is_ascii_uppercase() || *byte == b'-';
    let method = first.iter().take_while(|byte| is_method(byte)).count();
    let rest = first.get(method..).unwrap_or_default();
    match rest {
        [] if method <= METHOD_BYTES_MAX => Guess::Unclear,
        [b' ', target @ ..] if (1..=METHOD_BYTES_MAX).contains(&method) => {
            target_of(target, first.starts_with(b"CONNECT "))
        }
        _ => Guess::Is(Spoken::Opaque),
    }
}

/// Tells whether what follows a method can be the target of a request.
fn target_of(target: &[u8], any: bool) -> Guess {
    let absolute = |start: &[u8]| {
        let len = target.len().min(start.len());
        target.get(..len).is_some_and(|target| {
            start.get(..len).is_some_and(|start| target.eq_ignore_ascii_case(start))
        })
    };
    match target {
        [] => Guess::Unclear,
        [b'/' | b'*', ..] => Guess::Is(Spoken::Http1),
        _ if any => Guess::Is(Spoken::Http1),
        _ if !absolute(b"http://") && !absolute(b"https://") => Guess::Is(Spoken::Opaque),
        _ if target.len() < b"https://".len() => Guess::Unclear,
        _ => Guess::Is(Spoken::Http1),
    }
}

/// How a client with prior knowledge begins HTTP/2 (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Longest method that is taken for one.
const METHOD_BYTES_MAX: usize = 24;

#[cfg(test)]
mod tests;
