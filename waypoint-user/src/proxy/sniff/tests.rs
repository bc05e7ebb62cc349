use super::*;

#[test]
fn request_lines_and_prefaces_are_told_from_anything_else() {
    let http1 = Guess::Is(Spoken::Http1);
    let opaque = Guess::Is(Spoken::Opaque);
    let cases: [(&[u8], Guess); 22] = [
        (b"GET / HTTP/1.1\r\n", http1),
        (b"DELETE /a", http1),
        (b"OPTIONS *", http1),
        (b"M-SEARCH * HTTP/1.1", http1),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0", Guess::Is(Spoken::Http2)),
        (b"PRI * HTTP/2.0\r\n\r\nSM", Guess::Unclear),
        (b"PRI /prices HTTP/1.1", http1),
        (b"GET http://a/ HTTP/1.1", http1),
        (b"GET HTTPS://a/ HTTP/1.1", http1),
        (b"GET htt", Guess::Unclear),
        (b"CONNECT a:80 HTTP/1.1", http1),
        (b"", Guess::Unclear),
        (b"G", Guess::Unclear),
        (b"GET ", Guess::Unclear),
        (b"get / HTTP/1.1", opaque),
        (b"GET\t/ HTTP/1.1", opaque),
        (b" / HTTP/1.1", opaque),
        (b"SET key 0", opaque),
        (b"EHLO there", opaque),
        (b"*1\r\n$4\r\nPING", opaque),
        (b"\x16\x03\x01", opaque),
        (b"ABCDEFGHIJKLMNOPQRSTUVWXYZABC", opaque),
    ];
    for (first, expected) in cases {
        assert_eq!(tell(first), expected, "{:?}", String::from_utf8_lossy(first));
    }
}

#[test]
fn more_bytes_never_change_a_guess_that_was_made() {
    for whole in [
        &b"GET /a HTTP/1.1\r\nhost: a\r\n\r\n"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET http://a/ HTTP/1.1\r\n\r\n",
        b"HELO example.org\r\n",
    ] {
        let end = tell(whole);
        for len in 0..whole.len() {
            let early = tell(&whole[..len]);
            assert!(early == Guess::Unclear || early == end, "{len} of {whole:?}: {early:?}");
        }
    }
}
