use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, StatusCode, header};
use proptest::prelude::*;

use super::*;

mod differential;
mod head;
mod request;

/// The head at the front of some bytes, and what is behind it.
fn head_of(text: &str, to_head: bool) -> Result<Option<(Response, Bytes)>, Malformed> {
    let mut input = Bytes::copy_from_slice(text.as_bytes());
    Ok(parse_response(&mut input, to_head)?.map(|head| (head, input)))
}

/// How a response to a `GET` is framed, and whether its connection stays.
fn framed(head: &str) -> Result<(Framing, bool), Malformed> {
    let (head, _) = head_of(&format!("HTTP/1.1 200 OK\r\n{head}\r\n"), false)?.unwrap();
    Ok((head.framing, head.keeps))
}

/// All pieces of a body that comes in parts, and what is behind it.
fn decode(framing: Framing, parts: &[&[u8]]) -> Result<(Vec<u8>, HeaderMap, Bytes), Malformed> {
    let (mut decoder, mut input) = (Decoder::new(framing), Bytes::new());
    let (mut body, mut trailers) = (Vec::new(), HeaderMap::new());
    let mut parts = parts.iter();
    loop {
        match decoder.next(&mut input)? {
            Some(Piece::Data(bytes)) => body.extend_from_slice(&bytes),
            Some(Piece::Trailers(fields)) => trailers = fields,
            Some(Piece::End) => return Ok((body, trailers, input)),
            None => match parts.next() {
                Some(part) => input = [&input, *part].concat().into(),
                None => decoder.close()?,
            },
        }
    }
}

#[test]
fn a_head_is_taken_when_all_of_it_is_there() {
    let text = "HTTP/1.1 404 Not Found\r\nServer: x\r\nSet-Cookie: a\r\nset-cookie: b\r\n\r\n";
    for end in 0..text.len() {
        assert!(head_of(&text[..end], false).unwrap().is_none(), "{end}");
    }
    let (head, rest) = head_of(&format!("{text}behind"), false).unwrap().unwrap();
    assert_eq!(head.status, StatusCode::NOT_FOUND);
    assert_eq!(head.headers["server"], "x");
    assert_eq!(head.headers.get_all("set-cookie").iter().count(), 2);
    assert_eq!(rest, "behind");
}

#[test]
fn the_end_of_a_body_is_told_in_one_way_only() {
    let wrong = |head: &str| framed(head).unwrap_err();
    assert_eq!(framed(""), Ok((Framing::UntilClose, false)));
    assert_eq!(framed("content-length: 7\r\n"), Ok((Framing::Length(7), true)));
    assert_eq!(framed("content-length: 7, 7\r\n"), Ok((Framing::Length(7), true)));
    assert_eq!(framed("transfer-encoding: Chunked\r\n"), Ok((Framing::Chunked, true)));
    let both = "content-length: 7\r\ntransfer-encoding: chunked\r\n";
    assert!(matches!(wrong(both), Malformed::Framing(_)));
    assert!(matches!(wrong("content-length: 7\r\ncontent-length: 8\r\n"), Malformed::Framing(_)));
    for length in ["", "-1", "+1", "0x1", "1 1", "99999999999999999999"] {
        let head = format!("content-length: {length}\r\n");
        assert_eq!(wrong(&head), Malformed::Field("content-length"), "{length}");
    }
    for coding in ["gzip", "gzip, chunked", "chunked, chunked", "xchunked"] {
        let head = format!("transfer-encoding: {coding}\r\n");
        assert!(matches!(wrong(&head), Malformed::Framing(_)), "{coding}");
    }
}

#[test]
fn some_responses_have_no_body_whatever_they_say() {
    for (status, to_head) in [(204, false), (304, false), (101, false), (200, true)] {
        let text = format!("HTTP/1.1 {status} x\r\ncontent-length: 7\r\n\r\n");
        let (head, _) = head_of(&text, to_head).unwrap().unwrap();
        assert_eq!((head.framing, head.keeps), (Framing::None, true), "{status}");
    }
}

#[test]
fn a_connection_stays_as_its_version_and_options_say() {
    let keeps = |version: &str, option: &str| {
        let text = format!("HTTP/{version} 200 OK\r\ncontent-length: 0\r\n{option}\r\n");
        head_of(&text, false).unwrap().unwrap().0.keeps
    };
    assert!(keeps("1.1", ""));
    assert!(!keeps("1.1", "connection: foo, Close\r\n"));
    assert!(!keeps("1.0", ""));
    assert!(keeps("1.0", "connection: Keep-Alive\r\n"));
}

#[test]
fn heads_that_are_too_long_or_no_http_are_refused() {
    let long = format!("HTTP/1.1 200 OK\r\nx: {}", "x".repeat(HEADER_BYTES_MAX));
    assert_eq!(head_of(&long, false).unwrap_err(), Malformed::TooLong);
    assert_eq!(head_of(&format!("{long}\r\n\r\n"), false).unwrap_err(), Malformed::TooLong);
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(HEADERS_MAX + 1));
    assert!(matches!(head_of(&many, false), Err(Malformed::Syntax(_))));
    for text in
        ["SSH-2.0-x\r\n", "HTTP/2 200 OK\r\n", "HTTP/1.1 20 OK\r\n", "HTTP/1.1 200 OK\r\nx\r\n"]
    {
        assert!(head_of(&format!("{text}\r\n"), false).is_err(), "{text}");
    }
}

#[test]
fn chunks_are_taken_apart_and_what_is_behind_them_stays() {
    let text = b"5\r\nhello\r\n1;a=\"b\"\r\n,\r\nA \r\n0123456789\r\n0\r\n\r\nbehind";
    let (body, trailers, rest) = decode(Framing::Chunked, &[text]).unwrap();
    assert_eq!((&body[..], trailers.len()), (&b"hello,0123456789"[..], 0));
    assert_eq!(rest, "behind");
}

#[test]
fn trailers_may_not_frame_or_route() {
    let text = b"0\r\ngrpc-status: 0\r\ncontent-length: 9\r\nHost: x\r\n\r\n";
    let (_, trailers, _) = decode(Framing::Chunked, &[text]).unwrap();
    assert_eq!(trailers.len(), 1);
    assert_eq!(trailers["grpc-status"], "0");
}

#[test]
fn chunks_that_lie_are_refused() {
    for text in [
        "5\r\nhello!\r\n",
        "\r\n",
        "g\r\n",
        "-5\r\nhello\r\n",
        "+5\r\nhello\r\n",
        "5\nhello\r\n",
        "0x5\r\nhello\r\n",
        "10000000000000000\r\n",
        "5\r\nhelloXX",
        " 5\r\nhello\r\n",
    ] {
        let refused = decode(Framing::Chunked, &[text.as_bytes()]);
        assert!(matches!(refused, Err(Malformed::Framing(_))), "{text:?}: {refused:?}");
    }
    let long = format!("1;{}\r\n", "x".repeat(5000));
    assert_eq!(decode(Framing::Chunked, &[long.as_bytes()]), Err(Malformed::TooLong));
    let many = format!("1;{}\r\nx\r\n", "x".repeat(4000)).repeat(17);
    assert_eq!(decode(Framing::Chunked, &[many.as_bytes()]), Err(Malformed::TooLong));
}

#[test]
fn a_body_that_is_cut_off_is_not_complete() {
    assert_eq!(decode(Framing::Length(6), &[b"hello"]), Err(Malformed::Cut));
    assert_eq!(decode(Framing::Chunked, &[b"5\r\nhello\r\n"]), Err(Malformed::Cut));
    let (body, _, _) = decode(Framing::UntilClose, &[b"hel", b"lo"]).unwrap();
    assert_eq!(body, b"hello");
}

#[test]
fn a_request_is_framed_by_what_its_body_is() {
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, "shop".parse().unwrap());
    headers.insert(header::CONTENT_LENGTH, "999".parse().unwrap());
    headers.insert(header::TRANSFER_ENCODING, "gzip".parse().unwrap());
    let write = |framing| {
        let mut output = BytesMut::new();
        write_request((&Method::PUT, "/a?b"), (&headers, None), framing, &mut output);
        String::from_utf8(output.to_vec()).unwrap()
    };
    let head = "PUT /a?b HTTP/1.1\r\nhost: shop\r\n";
    assert_eq!(write(Framing::None), format!("{head}\r\n"));
    assert_eq!(write(Framing::Length(5)), format!("{head}content-length: 5\r\n\r\n"));
    assert_eq!(write(Framing::Chunked), format!("{head}transfer-encoding: chunked\r\n\r\n"));
}

#[test]
fn a_body_is_never_longer_or_shorter_than_announced() {
    let mut output = VecDeque::new();
    let mut encoder = Encoder::new(Framing::Length(5));
    encoder.data("hel".into(), &mut output).unwrap();
    assert_eq!(encoder.end(None, &mut output), Err(Malformed::Cut));
    assert!(matches!(encoder.data("lo!".into(), &mut output), Err(Malformed::Framing(_))));
    encoder.data("lo".into(), &mut output).unwrap();
    assert!(encoder.is_ended());
    let mut encoder = Encoder::new(Framing::None);
    assert!(encoder.data("x".into(), &mut output).is_err());
}

proptest! {
    #[test]
    fn what_is_encoded_in_chunks_is_decoded_however_it_is_cut(
        pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..8),
        cut in 1usize..50,
        trailer in proptest::option::of("[a-z]{1,9}"),
    ) {
        let (mut encoder, mut output) = (Encoder::new(Framing::Chunked), VecDeque::new());
        for piece in &pieces {
            encoder.data(piece.clone().into(), &mut output).unwrap();
        }
        let mut trailers = HeaderMap::new();
        if let Some(value) = &trailer {
            trailers.insert("x-end", value.parse().unwrap());
        }
        encoder.end(Some(&trailers), &mut output).unwrap();
        let bytes = output.into_iter().flatten().collect::<Vec<u8>>();
        let parts: Vec<&[u8]> = bytes.chunks(cut).collect();
        let (body, read, rest) = decode(Framing::Chunked, &parts).unwrap();
        prop_assert_eq!(body, pieces.concat());
        prop_assert_eq!(read, trailers);
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>, to_head: bool) {
        let _ = parse_response(&mut Bytes::from(bytes.clone()), to_head);
        let _ = parse_request(&mut Bytes::from(bytes.clone()));
        let _ = decode(Framing::Chunked, &[&bytes]);
    }
}
