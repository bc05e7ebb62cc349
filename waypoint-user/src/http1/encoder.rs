//! Puts a body into the bytes of a connection.

use std::{collections::VecDeque, fmt::Write as _};

use bytes::{BufMut, Bytes, BytesMut};
use http::HeaderMap;

use super::{Framing, Malformed, is_framing};

/// Puts a body into the bytes of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Encoder {
    framing: Framing,
    ended: bool,
}

impl Encoder {
    /// For a body that is framed so.
    pub fn new(framing: Framing) -> Self {
        Self { framing, ended: matches!(framing, Framing::None | Framing::Length(0)) }
    }

    /// Appends a piece of the body to what is to be sent.
    pub fn data(&mut self, bytes: Bytes, output: &mut VecDeque<Bytes>) -> Result<(), Malformed> {
        if bytes.is_empty() {
            return Ok(());
        }
        match &mut self.framing {
            Framing::None => Err(Malformed::Framing("a body where none was announced")),
            Framing::UntilClose => {
                output.push_back(bytes);
                Ok(())
            }
            Framing::Length(left) => {
                let longer = Malformed::Framing("a body longer than its length");
                *left = left.checked_sub(bytes.len() as u64).ok_or(longer)?;
                self.ended = *left == 0;
                output.push_back(bytes);
                Ok(())
            }
            Framing::Chunked => {
                let size = Bytes::from(format!("{:x}\r\n", bytes.len()));
                output.extend([size, bytes, Bytes::from_static(b"\r\n")]);
                Ok(())
            }
        }
    }

    /// Appends the body's end, with its trailers where they can be sent.
    pub fn end(
        &mut self,
        trailers: Option<&HeaderMap>,
        output: &mut VecDeque<Bytes>,
    ) -> Result<(), Malformed> {
        if self.framing == Framing::Chunked && !self.ended {
            let mut last = BytesMut::from(&b"0\r\n"[..]);
            let fields = trailers.into_iter().flatten();
            for (name, value) in fields.filter(|(name, _)| !is_framing(name)) {
                put_field(name.as_str(), value.as_bytes(), &mut last);
            }
            last.put_slice(b"\r\n");
            output.push_back(last.freeze());
        } else if let Framing::Length(1..) = self.framing {
            return Err(Malformed::Cut);
        }
        self.ended = true;
        Ok(())
    }

    /// Whether nothing can come any more.
    pub fn is_ended(&self) -> bool {
        self.ended
    }
}

/// Writes what says how a body is framed.
pub(super) fn put_framing(framing: Framing, output: &mut BytesMut) {
    match framing {
        Framing::Length(length) => {
            // Writing into memory has nothing that could go wrong.
            let _ = write!(output, "content-length: {length}\r\n");
        }
        Framing::Chunked => output.put_slice(b"transfer-encoding: chunked\r\n"),
        Framing::None | Framing::UntilClose => {}
    }
}

/// Writes a field with the end of its line.
pub(super) fn put_field(name: &str, value: &[u8], output: &mut BytesMut) {
    output.put_slice(name.as_bytes());
    output.put_slice(b": ");
    output.put_slice(value);
    output.put_slice(b"\r\n");
}

/// What most heads fit into.
pub(super) const HEAD_BYTES: usize = 1024;
