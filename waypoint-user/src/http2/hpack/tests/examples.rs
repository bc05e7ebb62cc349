//! The examples of RFC 7541, appendix C.

use super::*;

const FIRST: [(&str, &str); 4] =
    [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "www.example.com")];

const THIRD: [(&str, &str); 5] = [
    (":method", "GET"),
    (":scheme", "https"),
    (":path", "/index.html"),
    (":authority", "www.example.com"),
    ("custom-key", "custom-value"),
];

#[test]
fn single_fields_are_decoded() {
    let cases = [
        ("400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572", "custom-key"),
        ("040c 2f73 616d 706c 652f 7061 7468", ":path"),
        ("1008 7061 7373 776f 7264 0673 6563 7265 74", "password"),
        ("82", ":method"),
    ];
    let values = ["custom-header", "/sample/path", "secret", "GET"];
    for ((block, name), value) in cases.into_iter().zip(values) {
        let fields = decode(&mut Decoder::new(TABLE_BYTES), &hex(block)).unwrap();
        assert_eq!(fields, owned(&[(name, value)]));
    }
}

#[test]
fn what_must_never_be_indexed_is_sensitive() {
    let block = Bytes::from(hex("1008 7061 7373 776f 7264 0673 6563 7265 74"));
    let mut is_sensitive = false;
    let mut each = |field| {
        is_sensitive = matches!(field, Field::Header(_, value) if value.is_sensitive());
    };
    Decoder::new(TABLE_BYTES).decode(&block, usize::MAX, &mut each).unwrap();
    assert!(is_sensitive);
}

#[test]
fn requests_are_decoded_with_and_without_huffman_codes() {
    let plain = [
        "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "8286 84be 5808 6e6f 2d63 6163 6865",
        "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    ];
    let coded = [
        "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
        "8286 84be 5886 a8eb 1064 9cbf",
        "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
    ];
    let second = [&FIRST[..], &[("cache-control", "no-cache")]].concat();
    for blocks in [plain, coded] {
        let mut decoder = Decoder::new(TABLE_BYTES);
        for (block, expected) in blocks.into_iter().zip([&FIRST[..], &second, &THIRD]) {
            assert_eq!(decode(&mut decoder, &hex(block)).unwrap(), owned(expected));
        }
        // Three fields are remembered.
        assert!(decode(&mut decoder, &[0xc0]).is_ok());
        assert_eq!(decode(&mut decoder, &[0xc1]), Err(CompressionError::Index));
    }
}

#[test]
fn responses_are_decoded_with_a_table_that_forgets() {
    let plain = [
        "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133
         2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65
         2e63 6f6d",
        "4803 3330 37c1 c0bf",
        "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0
         5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851
         5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31",
    ];
    let coded = [
        "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b
         ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
        "4883 640e ffc1 c0bf",
        "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad
         94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160
         65c0 03ed 4ee5 b106 3d50 07",
    ];
    let first = [
        (":status", "302"),
        ("cache-control", "private"),
        ("date", "Mon, 21 Oct 2013 20:13:21 GMT"),
        ("location", "https://www.example.com"),
    ];
    let second = [&[(":status", "307")], &first[1..]].concat();
    let cookie = "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";
    let third = [
        (":status", "200"),
        ("cache-control", "private"),
        ("date", "Mon, 21 Oct 2013 20:13:22 GMT"),
        ("location", "https://www.example.com"),
        ("content-encoding", "gzip"),
        ("set-cookie", cookie),
    ];
    for blocks in [plain, coded] {
        let mut decoder = Decoder::new(256);
        for (block, expected) in blocks.into_iter().zip([&first[..], &second, &third]) {
            assert_eq!(decode(&mut decoder, &hex(block)).unwrap(), owned(expected));
        }
        let left = decode(&mut decoder, &[0xbe, 0xbf, 0xc0]).unwrap();
        assert_eq!(left, owned(&[third[5], third[4], third[2]]));
        assert_eq!(decode(&mut decoder, &[0xc1]), Err(CompressionError::Index));
    }
}

#[test]
fn the_fixed_table_is_that_of_the_appendix() {
    let mut decoder = Decoder::new(0);
    let entries = (1..=61).flat_map(|index| decode(&mut decoder, &[0x80 | index]).unwrap());
    let lines: Vec<_> = entries.map(|(name, value)| format!("{name}: {value}\n")).collect();
    // Of the table of another implementation, Python's hpack.
    assert_eq!(checksum(&lines.concat()), 0xf798_7a15_6c77_7eaa);
}
