//! Requests of HTTP/1 clients: wherever the bytes are cut, the heads and bodies that they come to
//! are the same, and what is behind a request is left to the next one.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use waypoint_user::http1::{Decoder, Malformed, Piece, parse_request};

/// The target, the fields' count, the body and the trailers' count of a request.
type Read = (String, usize, Vec<u8>, usize);

/// Requests that come in pieces, up to what is none or would need more to come.
fn read(mut pieces: impl Iterator<Item = Bytes>) -> (Vec<Read>, Result<(), Malformed>) {
    let (mut input, mut all) = (Bytes::new(), Vec::new());
    let mut more = |input: &mut Bytes| {
        let piece = pieces.next();
        *input = [&input[..], piece.as_deref().unwrap_or_default()].concat().into();
        piece.is_some()
    };
    loop {
        let head = match parse_request(&mut input) {
            Ok(Some(head)) => head,
            Ok(None) if more(&mut input) => continue,
            Ok(None) => return (all, Ok(())),
            Err(cause) => return (all, Err(cause)),
        };
        let mut decoder = Decoder::new(head.framing);
        let (mut body, mut trailers) = (Vec::new(), 0);
        loop {
            match decoder.next(&mut input) {
                Ok(Some(Piece::Data(bytes))) => body.extend_from_slice(&bytes),
                Ok(Some(Piece::Trailers(fields))) => trailers = fields.len(),
                Ok(Some(Piece::End)) => break,
                Ok(None) if more(&mut input) => {}
                Ok(None) => return (all, Ok(())),
                Err(cause) => return (all, Err(cause)),
            }
        }
        all.push((head.target.to_string(), head.headers.len(), body, trailers));
    }
}

fuzz_target!(|given: (u8, &[u8])| {
    let (cut, bytes) = given;
    let (whole, _) = read(std::iter::once(Bytes::copy_from_slice(bytes)));
    let pieces = bytes.chunks(usize::from(cut).max(1)).map(Bytes::copy_from_slice);
    let (parts, _) = read(pieces);
    assert_eq!(whole, parts);
});
