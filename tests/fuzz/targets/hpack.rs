//! Blocks of fields of HTTP/2: what is decoded comes back when it is encoded, and what a decoder
//! may remember is never exceeded.
#![no_main]

use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use waypoint_user::http2::hpack::{Decoder, Encoder, Field, Outcome, Pseudo, TABLE_BYTES};

/// Appends a field; `false` for one that cannot be sent.
fn encode(encoder: &mut Encoder, field: &Field, block: &mut BytesMut) -> bool {
    match field {
        Field::Malformed => return false,
        Field::Header(name, value) => encoder.field(name, value, block),
        Field::Pseudo(name, value) => {
            let Ok(value) = std::str::from_utf8(value) else { return false };
            match name {
                Pseudo::Authority => encoder.authority(value, block),
                Pseudo::Path => encoder.path(value, block),
                Pseudo::Protocol => encoder.protocol(value, block),
                Pseudo::Scheme => encoder.scheme(value, block),
                Pseudo::Method => match value.parse() {
                    Ok(method) => encoder.method(&method, block),
                    Err(_) => return false,
                },
                Pseudo::Status => match value.parse() {
                    Ok(status) => encoder.status(status, block),
                    Err(_) => return false,
                },
            }
        }
    }
    true
}

fuzz_target!(|given: (u16, Vec<&[u8]>)| {
    let (size, blocks) = given;
    let mut from_outside = Decoder::new(usize::from(size));
    let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new(TABLE_BYTES));
    encoder.set_peer_max(size.into());
    for block in blocks {
        let mut told = Vec::new();
        let block = Bytes::copy_from_slice(block);
        let limit = 64 * 1024;
        if from_outside.decode(&block, limit, &mut |field| told.push(field)).is_err() {
            return;
        }
        let mut block = BytesMut::new();
        encoder.begin(&mut block);
        told.retain(|field| encode(&mut encoder, field, &mut block));
        let mut again = Vec::new();
        let outcome = decoder.decode(&block.freeze(), limit, &mut |field| again.push(field));
        assert_eq!(outcome, Ok(Outcome::Whole));
        assert_eq!(again, told);
    }
});
