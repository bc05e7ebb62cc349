//! Responses of HTTP/1 endpoints: wherever the bytes are cut, the head and the body that they come
//! to are the same, and what is behind them is left alone.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use waypoint_user::http1::{Decoder, Malformed, Piece, parse_response};

/// The status, the body and the trailers' count of a response that comes in pieces; nothing where
/// more of it would have to come.
fn read(mut pieces: impl Iterator<Item = Bytes>) -> Result<Option<Read>, Malformed> {
    let (mut input, mut body, mut trailers) = (Bytes::new(), Vec::new(), 0);
    let mut more = |input: &mut Bytes| {
        let piece = pieces.next();
        *input = [&input[..], piece.as_deref().unwrap_or_default()].concat().into();
        piece.is_some()
    };
    let head = loop {
        if let Some(head) = parse_response(&mut input, false)? {
            break head;
        }
        if !more(&mut input) {
            return Ok(None);
        }
    };
    let mut decoder = Decoder::new(head.framing);
    loop {
        match decoder.next(&mut input)? {
            Some(Piece::Data(bytes)) => body.extend_from_slice(&bytes),
            Some(Piece::Trailers(fields)) => trailers = fields.len(),
            Some(Piece::End) => return Ok(Some((head.status.as_u16(), body, trailers))),
            None if more(&mut input) => {}
            None if decoder.close().is_err() => return Ok(None),
            None => {}
        }
    }
}

/// A response that was read.
type Read = (u16, Vec<u8>, usize);

fuzz_target!(|given: (u8, &[u8])| {
    let (cut, bytes) = given;
    let whole = read(std::iter::once(Bytes::copy_from_slice(bytes)));
    let pieces = bytes.chunks(usize::from(cut).max(1)).map(Bytes::copy_from_slice);
    let parts = read(pieces);
    // Where all that came is malformed, less of it may not be known to be yet.
    if let (Ok(whole), Ok(parts)) = (&whole, &parts) {
        assert_eq!(whole, parts);
    }
    assert!(whole.is_ok() || !matches!(parts, Ok(Some(_))));
});
