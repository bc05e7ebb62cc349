//! Bodies in chunks (RFC 9112 section 7.1).

use bytes::{Buf, Bytes};
use http::HeaderMap;

use super::{HEADER_BYTES_MAX, HEADERS_MAX, Malformed, fields, has_bare_line_feed, is_framing};

/// A piece of a body.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Piece {
    /// Bytes; at least one.
    Data(Bytes),
    /// The fields after the last chunk, without those that must not be there.
    Trailers(HeaderMap),
    /// Nothing comes any more.
    End,
}

/// Reads chunks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Chunks {
    place: Place,
    /// Bytes of extensions so far.
    extensions: usize,
}

/// What comes next.
#[derive(Clone, Copy, Debug, Default)]
enum Place {
    #[default]
    Size,
    Data(u64),
    /// The end of the line after a chunk's data.
    DataEnd,
    Trailers,
    Done,
}

impl Chunks {
    /// Takes the next piece from the front of `input`; `None` when more must come first.
    pub(super) fn next(&mut self, input: &mut Bytes) -> Result<Option<Piece>, Malformed> {
        loop {
            match self.place {
                Place::Size => match self.size(input)? {
                    None => return Ok(None),
                    Some(0) => self.place = Place::Trailers,
                    Some(size) => self.place = Place::Data(size),
                },
                Place::Data(_) if input.is_empty() => return Ok(None),
                Place::Data(left) => {
                    let taken = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                    let left = left - taken as u64;
                    self.place = if left == 0 { Place::DataEnd } else { Place::Data(left) };
                    return Ok(Some(Piece::Data(input.split_to(taken))));
                }
                Place::DataEnd if input.len() < LINE_END.len() => return Ok(None),
                Place::DataEnd => {
                    if !input.starts_with(LINE_END) {
                        return Err(Malformed::Framing("a chunk is longer than it says"));
                    }
                    input.advance(LINE_END.len());
                    self.place = Place::Size;
                }
                Place::Trailers => return self.trailers(input),
                Place::Done => return Ok(Some(Piece::End)),
            }
        }
    }

    /// Whether the last chunk and the trailers were taken.
    pub(super) fn is_done(self) -> bool {
        matches!(self.place, Place::Done)
    }

    /// The size of a chunk, with the line that it stands in.
    fn size(&mut self, input: &mut Bytes) -> Result<Option<u64>, Malformed> {
        let Some(end) = input.iter().position(|byte| *byte == b'\n') else {
            return if input.len() > SIZE_LINE_MAX { Err(Malformed::TooLong) } else { Ok(None) };
        };
        let line = input.split_to(end + 1);
        let wrong = Malformed::Framing("a line that should tell the size of a chunk");
        let line = line.strip_suffix(LINE_END).ok_or(wrong)?;
        if line.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
            return Err(wrong);
        }
        let mut parts = line.splitn(2, |byte| *byte == b';');
        let size = parts.next().unwrap_or_default().trim_ascii_end();
        self.extensions += parts.next().map_or(0, |extensions| extensions.len() + 1);
        if line.len() > SIZE_LINE_MAX || self.extensions > HEADER_BYTES_MAX {
            return Err(Malformed::TooLong);
        }
        if size.is_empty() || !size.iter().all(u8::is_ascii_hexdigit) {
            return Err(wrong);
        }
        let size = std::str::from_utf8(size).map_err(|_| wrong)?;
        u64::from_str_radix(size, 16).map(Some).map_err(|_| wrong)
    }

    fn trailers(&mut self, input: &mut Bytes) -> Result<Option<Piece>, Malformed> {
        let mut room = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let (len, mut trailers) = match httparse::parse_headers(input, &mut room)? {
            httparse::Status::Complete((len, parsed)) if len <= HEADER_BYTES_MAX => {
                (len, fields(parsed, input, |_, _| Ok(()))?)
            }
            httparse::Status::Partial if input.len() <= HEADER_BYTES_MAX => return Ok(None),
            _ => return Err(Malformed::TooLong),
        };
        if has_bare_line_feed(input.get(..len).unwrap_or_default()) {
            return Err(Malformed::Syntax(httparse::Error::NewLine));
        }
        input.advance(len);
        self.place = Place::Done;
        for name in trailers.keys().filter(|name| is_framing(name)).cloned().collect::<Vec<_>>() {
            trailers.remove(name);
        }
        Ok(Some(if trailers.is_empty() { Piece::End } else { Piece::Trailers(trailers) }))
    }
}

const LINE_END: &[u8] = b"\r\n";

/// Longest line that tells the size of a chunk.
const SIZE_LINE_MAX: usize = 4096;
