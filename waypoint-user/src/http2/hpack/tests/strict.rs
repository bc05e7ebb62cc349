//! What is no block, and what is one whose message is malformed.

use super::*;

/// A field without an index, whose texts are not Huffman-coded.
fn plain(name: &[u8], value: &[u8]) -> Vec<u8> {
    let lengths = [name.len(), value.len()].map(|len| u8::try_from(len).unwrap());
    [&[0, lengths[0]][..], name, &lengths[1..], value].concat()
}

fn one(block: &[u8]) -> Result<Vec<(String, String)>, CompressionError> {
    decode(&mut Decoder::new(TABLE_BYTES), block)
}

#[test]
fn what_is_no_block_is_an_error() {
    let cases: [(&str, CompressionError); 12] = [
        ("80", CompressionError::Index),
        ("be", CompressionError::Index),
        ("7e01 61", CompressionError::Index),
        ("ff80 8080 8001", CompressionError::Integer),
        ("00ff ffff ffff", CompressionError::Integer),
        ("ff", CompressionError::Truncated),
        ("0002 61", CompressionError::Truncated),
        ("0001 6102 62", CompressionError::Truncated),
        ("8220", CompressionError::Resize),
        ("3fe2 1f82", CompressionError::Resize),
        ("0001 6181 ff", CompressionError::Huffman),
        ("0001 6184 ffff ffff", CompressionError::Huffman),
    ];
    for (block, expected) in cases {
        assert_eq!(one(&hex(block)), Err(expected), "{block}");
    }
}

#[test]
fn a_table_is_resized_at_the_beginning_only_and_as_agreed() {
    assert_eq!(one(&hex("3fe1 1f82")).unwrap(), owned(&[(":method", "GET")]));
    assert_eq!(one(&hex("203f e11f 82")).unwrap(), owned(&[(":method", "GET")]));
    let mut decoder = Decoder::new(100);
    decode(&mut decoder, &hex("3f45 82")).unwrap();
    decode(&mut decoder, &hex("82")).unwrap();
    assert_eq!(decode(&mut decoder, &hex("3f46")), Err(CompressionError::Resize));
}

#[test]
fn a_field_that_none_can_have_is_malformed_and_the_table_stays_right() {
    let malformed = vec![("malformed".to_owned(), String::new())];
    let names: [&[u8]; 7] = [b"X-a", b"", b"a b", b"a\"b", b":unknown", b":Path", "é".as_bytes()];
    for name in names {
        assert_eq!(one(&plain(name, b"v")).unwrap(), malformed, "{name:?}");
    }
    for value in [&b"a\r\nb"[..], b"\0", b" a", b"a\t", b"\x7f"] {
        assert_eq!(one(&plain(b"a", value)).unwrap(), malformed, "{value:?}");
    }
    assert_eq!(one(&plain(b"a", b"b\tc d\xff")).unwrap()[0].0, "a");
    let mut decoder = Decoder::new(TABLE_BYTES);
    // Both are remembered, and the name of the second has nothing wrong with it.
    let block = hex("4001 4101 76 4001 6101 00 7e01 76");
    let fields = decode(&mut decoder, &block).unwrap();
    assert_eq!(fields[..2], [&malformed[..], &malformed].concat());
    assert_eq!(fields[2], ("a".to_owned(), "v".to_owned()));
    assert_eq!(decode(&mut decoder, &[0xc0]).unwrap(), malformed);
}

#[test]
fn too_many_fields_are_not_told_and_the_table_stays_right() {
    let mut decoder = Decoder::new(TABLE_BYTES);
    let block = Bytes::from(hex("82 4001 6101 62 4001 6301 64 86"));
    let mut told = Vec::new();
    // The method counts 42, `a: b` 34.
    let outcome = decoder.decode(&block, 76, &mut |field| told.push(text(field)));
    assert_eq!(outcome, Ok(Outcome::TooLarge));
    assert_eq!(told, owned(&[(":method", "GET"), ("a", "b")]));
    assert_eq!(decode(&mut decoder, &[0xbe]).unwrap(), owned(&[("c", "d")]));
}

#[test]
fn a_field_that_is_larger_than_the_table_empties_it() {
    let mut decoder = Decoder::new(70);
    decode(&mut decoder, &hex("4001 6101 62 4001 6301 64")).unwrap();
    assert!(decode(&mut decoder, &[0xbf]).is_ok());
    let value = [b'v'; 40];
    let block = [&[0x40, 1, b'a', 40], &value[..]].concat();
    assert_eq!(decode(&mut decoder, &block).unwrap()[0].1.len(), 40);
    assert_eq!(decode(&mut decoder, &[0xbe]), Err(CompressionError::Index));
}

#[test]
fn what_is_remembered_keeps_no_block_in_memory() {
    let mut decoder = Decoder::new(TABLE_BYTES);
    let block = Bytes::from(hex("4001 6103 626364 000161 03 626364"));
    let mut told = Vec::new();
    decoder.decode(&block, usize::MAX, &mut |field| told.push(field)).unwrap();
    assert!(!block.is_unique());
    told.remove(1);
    assert!(block.is_unique());
}
