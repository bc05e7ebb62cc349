use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use proptest::prelude::*;

use super::*;

mod differential;
mod encoder;
mod examples;
mod strict;

/// The fields of a block as texts.
fn decode(decoder: &mut Decoder, block: &[u8]) -> Result<Vec<(String, String)>, CompressionError> {
    let mut fields = Vec::new();
    let mut each = |field| fields.push(text(field));
    let outcome = decoder.decode(&Bytes::copy_from_slice(block), usize::MAX, &mut each)?;
    assert_eq!(outcome, Outcome::Whole);
    Ok(fields)
}

fn text(field: Field) -> (String, String) {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    match field {
        Field::Pseudo(name, value) => {
            (format!(":{}", format!("{name:?}").to_lowercase()), text(&value))
        }
        Field::Header(name, value) => (name.to_string(), text(value.as_bytes())),
        Field::Malformed => ("malformed".to_owned(), String::new()),
    }
}

/// Bytes that are written as the RFC writes them.
fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

/// A number that changes with any letter of a text (FNV-1a), to compare long tables by.
pub(super) fn checksum(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

fn owned(fields: &[(&str, &str)]) -> Vec<(String, String)> {
    fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A block of a request.
fn encode(encoder: &mut Encoder, fields: &[(String, String)]) -> Vec<u8> {
    let mut block = BytesMut::new();
    encoder.begin(&mut block);
    for (name, value) in fields {
        match name.as_str() {
            ":authority" => encoder.authority(value, &mut block),
            ":method" => encoder.method(&value.parse().unwrap(), &mut block),
            ":path" => encoder.path(value, &mut block),
            ":protocol" => encoder.protocol(value, &mut block),
            ":scheme" => encoder.scheme(value, &mut block),
            ":status" => encoder.status(value.parse().unwrap(), &mut block),
            _ => encoder.field(
                &HeaderName::from_bytes(name.as_bytes()).unwrap(),
                &HeaderValue::from_str(value).unwrap(),
                &mut block,
            ),
        }
    }
    block.to_vec()
}

/// Fields of requests, of which some come again and again.
fn requests() -> impl Strategy<Value = Vec<Vec<(String, String)>>> {
    let name = prop_oneof![
        Just("accept-encoding".to_owned()),
        Just("authorization".to_owned()),
        Just("content-type".to_owned()),
        Just("cookie".to_owned()),
        Just("date".to_owned()),
        Just("user-agent".to_owned()),
        "x-[a-d]",
        "[a-z]{1,30}",
    ];
    let value = prop_oneof![
        Just("gzip, deflate".to_owned()),
        "v[0-3]",
        "[!-~]([ -~]{0,200}[!-~])?",
        Just(String::new()),
        "[a-z]{1500}",
    ];
    let authority = prop_oneof![Just("shop.example"), Just("cart.example:8080")];
    let path = prop_oneof![Just("/".to_owned()), "/[a-z]{1,40}"];
    let fields = proptest::collection::vec((name, value), 0..12);
    let request = (authority, path, fields).prop_map(|(authority, path, fields)| {
        let pseudo = [
            (":method", "GET"),
            (":scheme", "http"),
            (":authority", authority),
            (":path", path.as_str()),
        ];
        owned(&pseudo).into_iter().chain(fields).collect()
    });
    proptest::collection::vec(request, 1..12)
}

proptest! {
    #[test]
    fn what_was_encoded_is_decoded(
        all in requests(), sizes in proptest::collection::vec(0_usize..6000, 12)
    ) {
        let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new(TABLE_BYTES));
        for (fields, size) in all.iter().zip(sizes) {
            if size < 2000 {
                encoder.set_peer_max(size);
            } else if size < 3000 {
                encoder.set_peer_max(0);
                encoder.set_peer_max(size);
            }
            let block = encode(&mut encoder, fields);
            prop_assert_eq!(&decode(&mut decoder, &block).unwrap(), fields);
        }
    }

    #[test]
    fn a_part_of_a_block_tells_a_part_of_its_fields(all in requests(), part in 0.0..1.0) {
        let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new(TABLE_BYTES));
        for fields in &all[1..] {
            decode(&mut decoder, &encode(&mut encoder, fields)).unwrap();
        }
        let block = Bytes::from(encode(&mut encoder, &all[0]));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below one")]
        #[expect(clippy::cast_precision_loss, reason = "any part will do")]
        let end = (part * block.len() as f64) as usize;
        let mut told = Vec::new();
        let outcome = decoder.decode(&block.slice(..end), usize::MAX, &mut |field| {
            told.push(text(field));
        });
        prop_assert!(matches!(outcome, Ok(Outcome::Whole) | Err(CompressionError::Truncated)));
        prop_assert!(told.len() < all[0].len());
        prop_assert_eq!(&told[..], &all[0][..told.len()]);
    }

    #[test]
    fn no_bytes_are_too_much_for_it(
        blocks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 1..6)
    ) {
        let mut decoder = Decoder::new(200);
        for block in blocks {
            if decoder.decode(&block.into(), 400, &mut |_| {}).is_err() {
                break;
            }
        }
    }
}
