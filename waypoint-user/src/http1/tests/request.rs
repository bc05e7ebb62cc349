//! Requests as they come from clients.

use super::*;

/// The head at the front of a text, and what is behind it.
fn head_of(text: &str) -> Result<Option<(Request, Bytes)>, Malformed> {
    let mut input = Bytes::copy_from_slice(text.as_bytes());
    Ok(parse_request(&mut input)?.map(|head| (head, input)))
}

/// A request with these fields.
fn with(fields: &str) -> Result<Request, Malformed> {
    Ok(head_of(&format!("POST / HTTP/1.1\r\n{fields}\r\n"))?.unwrap().0)
}

#[test]
fn a_head_is_taken_when_all_of_it_is_there() {
    let text = "\r\n\r\nGET /a?b HTTP/1.1\r\nHost: x\r\nCookie: a\r\ncookie:b \r\n\r\n";
    for end in 0..text.len() {
        assert!(head_of(&text[..end]).unwrap().is_none(), "{end}");
    }
    let (head, rest) = head_of(&format!("{text}behind")).unwrap().unwrap();
    assert_eq!((head.method, head.target), (Method::GET, "/a?b".parse().unwrap()));
    assert_eq!((head.framing, head.keeps), (Framing::None, true));
    assert_eq!(head.headers.get_all("cookie").iter().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(rest, "behind");
}

#[test]
fn targets_have_four_forms() {
    for target in ["/", "/a?b", "http://shop:81/a", "*", "shop:80", "//a"] {
        let (head, _) = head_of(&format!("OPTIONS {target} HTTP/1.1\r\n\r\n")).unwrap().unwrap();
        assert_eq!(head.target.to_string(), target);
    }
    for target in ["/a#b", "", "http://", "/a b", "/a\tb", "/\x7f", "/\u{e9}", "/?\u{e9}"] {
        assert!(head_of(&format!("GET {target} HTTP/1.1\r\n\r\n")).is_err(), "{target}");
    }
}

#[test]
fn the_end_of_a_body_is_told_in_one_way_only() {
    assert_eq!(with("content-length: 7\r\n").unwrap().framing, Framing::Length(7));
    assert_eq!(with("transfer-encoding: Chunked\r\n").unwrap().framing, Framing::Chunked);
    for fields in [
        "content-length: 7\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 7\r\n",
        "content-length: 7\r\ncontent-length: 7\r\n",
        "content-length: 7, 7\r\n",
        "content-length: +7\r\n",
        "content-length: -7\r\n",
        "content-length: 0x7\r\n",
        "content-length: 7 7\r\n",
        "content-length:\r\n",
        "content-length: 9223372036854775808\r\n",
        "content-length: 18446744073709551616\r\n",
        "transfer-encoding: gzip\r\n",
        "transfer-encoding: gzip, chunked\r\n",
        "transfer-encoding: chunked, chunked\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "transfer-encoding: xchunked\r\n",
        "transfer-encoding: \"chunked\"\r\n",
        "transfer-encoding: chunked;q=1\r\n",
        "transfer-encoding:\r\n",
    ] {
        assert!(with(fields).is_err(), "{fields}");
    }
    let old = "POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n";
    assert!(head_of(old).is_err());
}

#[test]
fn what_others_may_read_in_another_way_is_refused() {
    for text in [
        "GET / HTTP/1.1\nhost: a\n\n",
        "GET / HTTP/1.1\r\nhost: a\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\n\n",
        "\nGET / HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\rb: c\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\n b\r\n\r\n",
        "GET / HTTP/1.1\r\n host: a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost : a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost\r\n\r\n",
        "GET / HTTP/1.1\r\n: a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\0\r\n\r\n",
        "GET / HTTP/1.1\r\nx: \x01\r\n\r\n",
        "GET / HTTP/1.1 \r\nhost: a\r\n\r\n",
        "GET  / HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /  HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET\t/ HTTP/1.1\r\nhost: a\r\n\r\n",
        "G(T / HTTP/1.1\r\nhost: a\r\n\r\n",
        " GET / HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / HTTP/2.0\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.2\r\nhost: a\r\n\r\n",
        "GET / http/1.1\r\nhost: a\r\n\r\n",
        "GET /\r\nhost: a\r\n\r\n",
    ] {
        assert!(head_of(text).is_err(), "{text:?}");
    }
}

#[test]
fn a_request_says_what_becomes_of_the_connection() {
    let keeps = |version: &str, fields: &str| {
        let text = format!("GET / HTTP/{version}\r\n{fields}\r\n");
        head_of(&text).unwrap().unwrap().0.keeps
    };
    assert!(keeps("1.1", "") && keeps("1.1", "connection: upgrade\r\n"));
    assert!(!keeps("1.1", "connection: x, Close\r\n"));
    assert!(!keeps("1.1", "connection: keep-alive\r\nconnection: close\r\n"));
    assert!(!keeps("1.1", "connection: close\r\nconnection: keep-alive\r\n"));
    assert!(!keeps("1.0", "") && keeps("1.0", "connection: Keep-Alive\r\n"));
    assert!(!keeps("1.0", "connection: keep-alive, close\r\n"));
}

#[test]
fn a_client_waits_for_leave_only_where_there_is_a_body() {
    let expect = "expect: 100-Continue\r\n";
    assert!(with(&format!("{expect}content-length: 1\r\n")).unwrap().awaits_leave);
    assert!(with(&format!("{expect}transfer-encoding: chunked\r\n")).unwrap().awaits_leave);
    assert!(!with(&format!("{expect}content-length: 0\r\n")).unwrap().awaits_leave);
    assert!(!with(expect).unwrap().awaits_leave);
    let old = format!("POST / HTTP/1.0\r\n{expect}content-length: 1\r\n\r\n");
    assert!(!head_of(&old).unwrap().unwrap().0.awaits_leave);
    assert!(with("te: x, Trailers\r\n").unwrap().takes_trailers);
}

#[test]
fn heads_that_are_too_long_are_known_as_such() {
    let long = format!("GET / HTTP/1.1\r\nx: {}", "x".repeat(HEADER_BYTES_MAX));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(HEADERS_MAX + 1));
    for text in [&long, &format!("{long}\r\n\r\n"), &many] {
        assert!(head_of(text).unwrap_err().is_too_much());
    }
    assert!(!head_of("GET / HTTP/9\r\n\r\n").unwrap_err().is_too_much());
}
