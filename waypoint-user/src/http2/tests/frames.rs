//! What a client may send, and what it must not.

use http::StatusCode;
use proptest::prelude::*;

use super::*;
use crate::http2::{
    Broken, Failed, Reason,
    frame::{GOAWAY, PADDED, PING, PRIORITY, PUSH_PROMISE, RST_STREAM, WINDOW_UPDATE},
};

/// How a connection takes bytes: the reason that it or a stream of it is ended with.
fn fate(bytes: &[u8]) -> (Option<Reason>, Option<Reason>) {
    let mut bench = Bench::new();
    bench.feed(bytes);
    let sent = bench.sent();
    let told = |kind| {
        let frame = sent.iter().find(|(head, _)| head.kind == kind);
        let code = frame.and_then(|(_, payload)| payload.last_chunk::<4>().copied());
        code.map(|code| Reason::from(u32::from_be_bytes(code)))
    };
    (told(GOAWAY), told(RST_STREAM))
}

fn ends_connection(bytes: &[u8], reason: Reason) {
    assert_eq!(fate(bytes).0, Some(reason));
}

fn ends_stream(bytes: &[u8], reason: Reason) {
    assert_eq!(fate(bytes), (None, Some(reason)));
}

/// A request with these fields, which ends with them.
fn request(fields: &[(&str, &str)]) -> BytesMut {
    let block = Bench::new().block(&Method::GET, "/", fields);
    headers(1, END_HEADERS | END_STREAM, &block)
}

/// A request whose body follows.
fn begun(fields: &[(&str, &str)]) -> BytesMut {
    let block = Bench::new().block(&Method::POST, "/", fields);
    headers(1, END_HEADERS, &block)
}

fn together(parts: &[BytesMut]) -> Vec<u8> {
    parts.concat()
}

#[test]
fn a_request_with_a_body_and_trailers_arrives() {
    let mut bench = Bench::new();
    let block = bench.block(&Method::POST, "/cart?x=1", &[("x-a", "1"), ("x-a", "2")]);
    let mut trailers = BytesMut::new();
    let (name, value) = (HeaderName::from_static("x-sum"), HeaderValue::from_static("7"));
    bench.encoder.field(&name, &value, &mut trailers);
    bench.feed(&together(&[
        headers(1, END_HEADERS, &block),
        body(1, b"one ", false),
        frame(DATA, PADDED, 1, b"\x03two\0\0\0"),
        headers(1, END_HEADERS | END_STREAM, &trailers),
    ]));
    let head = bench.accepted[0].head.clone().unwrap();
    assert_eq!(
        (head.method, head.target.to_string()),
        (Method::POST, "http://shop/cart?x=1".into())
    );
    assert_eq!(head.headers.get_all("x-a").iter().count(), 2);
    let (bytes, end) = bench.read(0);
    assert_eq!(bytes, b"one two");
    assert_eq!(end.unwrap().unwrap()["x-sum"], "7");
    assert!(bench.accepted[0].body.is_end());
}

#[test]
fn a_response_is_sent_with_its_body_and_trailers() {
    let mut bench = Bench::new();
    let ask = bench.ask(1, "/", true);
    bench.feed(&ask);
    let reply = &mut bench.accepted[0].reply;
    reply.respond(StatusCode::OK, &HeaderMap::new(), false).unwrap();
    reply.send(&mut Bytes::from_static(b"hello"), false).unwrap();
    reply.trailers(&HeaderMap::from_iter([(HeaderName::from_static("x-sum"), 7.into())])).unwrap();
    let sent = bench.sent();
    let kinds: Vec<_> = sent.iter().map(|(head, _)| (head.kind, head.flags)).collect();
    let ends = END_HEADERS | END_STREAM;
    assert_eq!(kinds, [(HEADERS, END_HEADERS), (DATA, 0), (HEADERS, ends)]);
    assert_eq!(sent[1].1, "hello");
    bench.accepted.clear();
    assert_eq!(bench.connection.streams(), 0);
    assert!(bench.sent().is_empty(), "a stream that ended was reset");
}

#[test]
fn a_long_head_is_continued_both_ways() {
    let mut bench = Bench::new();
    let long = "x".repeat(9000);
    let block = bench.block(&Method::GET, "/", &[("x-long", &long)]);
    let (first, rest) = block.split_at(100);
    let (second, third) = rest.split_at(5000);
    bench.feed(&together(&[
        headers(1, END_STREAM, first),
        frame(CONTINUATION, 0, 1, second),
        frame(CONTINUATION, END_HEADERS, 1, third),
    ]));
    assert_eq!(bench.accepted[0].head.as_ref().unwrap().headers["x-long"], long.as_str());
    let longer = HeaderValue::try_from("y".repeat(20_000)).unwrap();
    let fields = HeaderMap::from_iter([(HeaderName::from_static("x-longer"), longer)]);
    bench.accepted[0].reply.respond(StatusCode::OK, &fields, true).unwrap();
    let sent = bench.sent();
    let told: Vec<_> = sent.iter().map(|(head, _)| (head.kind, head.flags)).collect();
    assert_eq!(told, [(HEADERS, END_STREAM), (CONTINUATION, END_HEADERS)]);
}

#[test]
fn too_many_fields_are_left_to_be_refused() {
    let mut bench = Bench::new();
    let long = "x".repeat(10_000);
    let block = bench.block(&Method::GET, "/", &[("x-a", &long), ("x-b", &long)]);
    let (first, rest) = block.split_at(16_000);
    bench.feed(&headers(1, END_STREAM, first));
    bench.feed(&frame(CONTINUATION, END_HEADERS, 1, rest));
    assert!(bench.accepted[0].head.is_none());
    // What follows is still understood.
    let next = bench.ask(3, "/next", true);
    bench.feed(&next);
    assert_eq!(bench.accepted[1].head.as_ref().unwrap().target.path(), "/next");
}

#[test]
fn malformed_requests_are_reset() {
    for fields in [
        &[("connection", "close")][..],
        &[("keep-alive", "1")],
        &[("proxy-connection", "close")],
        &[("transfer-encoding", "chunked")],
        &[("upgrade", "h2c")],
        &[("te", "gzip")],
        &[("content-length", "1")],
        &[("content-length", "0"), ("content-length", "0")],
        &[("content-length", "+0")],
        &[("host", "other")],
    ] {
        ends_stream(&request(fields), Reason::PROTOCOL_ERROR);
    }
    for block in [
        // No path; a path without a scheme; an empty path; one that is not ASCII; two paths; a
        // status.
        &b"\x82\x86\x01\x04shop"[..],
        b"\x82\x84\x01\x04shop",
        b"\x82\x86\x01\x04shop\x04\x00",
        b"\x82\x86\x01\x04shop\x04\x03/\xc3\xa9",
        b"\x82\x86\x01\x04shop\x84\x84",
        b"\x82\x86\x01\x04shop\x84\x88",
        // A pseudo-field behind a field; one that is not known; a name in capitals.
        b"\x82\x86\x01\x04shop\x00\x03x-a\x01b\x84",
        b"\x82\x86\x01\x04shop\x84\x00\x04:new\x01b",
        b"\x82\x86\x01\x04shop\x84\x00\x03X-A\x01b",
        // Blanks at the ends of a value.
        b"\x82\x86\x01\x04shop\x84\x00\x03x-a\x02 b",
        b"\x82\x86\x01\x04shop\x84\x00\x03x-a\x02b\t",
        // A CONNECT with a path.
        b"\x02\x07CONNECT\x86\x01\x04shop\x84",
    ] {
        ends_stream(&headers(1, END_HEADERS | END_STREAM, block), Reason::PROTOCOL_ERROR);
    }
}

#[test]
fn what_makes_no_harm_passes() {
    for fields in [&[("te", "trailers")][..], &[("content-length", "0")], &[("host", "SHOP")]] {
        assert_eq!(fate(&request(fields)), (None, None));
    }
    // Unknown frames and settings, priorities, and an answered ping.
    let mut bench = Bench::new();
    bench.feed(&together(&[
        frame(0x77, 0xff, 5, b"?"),
        frame(SETTINGS, 0, 0, b"\x00\x99\x00\x00\x00\x01"),
        frame(PRIORITY, 0, 7, b"\0\0\0\x01\x10"),
        frame(PING, 0, 0, b"12345678"),
    ]));
    let sent = bench.sent();
    let told: Vec<_> = sent.iter().map(|(head, _)| (head.kind, head.flags)).collect();
    assert_eq!(told, [(SETTINGS, ACK), (PING, ACK)]);
    assert_eq!(sent[1].1, "12345678");
}

#[test]
fn bodies_are_as_long_as_their_lengths() {
    let length = begun(&[("content-length", "3")]);
    let parts =
        |parts: &[&BytesMut]| parts.iter().map(|part| &part[..]).collect::<Vec<_>>().concat();
    let (all, most, more) = (body(1, b"abc", true), body(1, b"ab", true), body(1, b"abcd", false));
    assert_eq!(fate(&parts(&[&length, &all])), (None, None));
    ends_stream(&parts(&[&length, &most]), Reason::PROTOCOL_ERROR);
    ends_stream(&parts(&[&length, &more]), Reason::PROTOCOL_ERROR);
    let trailers = headers(1, END_HEADERS | END_STREAM, b"\x00\x03x-a\x01b");
    ends_stream(&parts(&[&length, &trailers]), Reason::PROTOCOL_ERROR);
}

#[test]
fn trailers_end_a_stream_and_have_no_pseudo_fields() {
    let begun = begun(&[]);
    let bad = headers(1, END_HEADERS | END_STREAM, b"\x84");
    ends_stream(&together(&[begun.clone(), bad]), Reason::PROTOCOL_ERROR);
    let open = headers(1, END_HEADERS, b"\x00\x03x-a\x01b");
    ends_stream(&together(&[begun, open]), Reason::PROTOCOL_ERROR);
}

#[test]
fn frames_that_must_not_come_end_the_connection() {
    let protocol = Reason::PROTOCOL_ERROR;
    let size = Reason::FRAME_SIZE_ERROR;
    for (bytes, reason) in [
        (body(0, b"x", false), protocol),
        (body(1, b"x", false), protocol),
        (body(2, b"x", false), protocol),
        (headers(0, END_HEADERS, b"\x82"), protocol),
        (headers(2, END_HEADERS, b"\x82"), protocol),
        (frame(CONTINUATION, END_HEADERS, 1, b""), protocol),
        (frame(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\x02"), protocol),
        (frame(RST_STREAM, 0, 1, b"\0\0\0\0"), protocol),
        (frame(RST_STREAM, 0, 0, b"\0\0\0\0"), protocol),
        (frame(RST_STREAM, 0, 1, b"\0\0\0"), size),
        (frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\x01"), protocol),
        (frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\0"), protocol),
        (frame(WINDOW_UPDATE, 0, 0, b"\0\0\0"), size),
        (frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff"), Reason::FLOW_CONTROL_ERROR),
        (frame(PRIORITY, 0, 0, b"\0\0\0\x01\x10"), protocol),
        (frame(PING, 0, 1, b"12345678"), protocol),
        (frame(PING, 0, 0, b"1234567"), size),
        (frame(GOAWAY, 0, 1, b"\0\0\0\0\0\0\0\0"), protocol),
        (frame(SETTINGS, 0, 1, b""), protocol),
        (frame(SETTINGS, 0, 0, b"\0\x04\0"), size),
        (frame(SETTINGS, ACK, 0, b"\0\x04\0\0\0\0"), size),
        (frame(SETTINGS, 0, 0, b"\0\x02\0\0\0\x02"), protocol),
        (frame(SETTINGS, 0, 0, b"\0\x05\0\0\x3f\xff"), protocol),
        (frame(SETTINGS, 0, 0, b"\0\x04\x80\0\0\0"), Reason::FLOW_CONTROL_ERROR),
        (frame(DATA, 0, 1, &vec![0; 16_385]), size),
        (headers(1, END_HEADERS, b"\xff\xff\xff\xff\xff\xff"), Reason::COMPRESSION_ERROR),
        (headers(1, END_HEADERS | PADDED, b"\x09\x82"), protocol),
    ] {
        ends_connection(&bytes, reason);
    }
    // Within a header block, nothing but its rest.
    let torn = together(&[headers(1, 0, b"\x82"), frame(PING, 0, 0, b"12345678")]);
    ends_connection(&torn, protocol);
    let other = together(&[headers(1, 0, b"\x82"), frame(CONTINUATION, END_HEADERS, 3, b"\x86")]);
    ends_connection(&other, protocol);
}

#[test]
fn a_stream_that_ended_takes_nothing_more() {
    let whole = request(&[]);
    let closed = Reason::STREAM_CLOSED;
    ends_stream(&together(&[whole.clone(), body(1, b"x", true)]), closed);
    let again = headers(1, END_HEADERS | END_STREAM, b"\x00\x03x-a\x01b");
    ends_stream(&together(&[whole.clone(), again.clone()]), closed);
    // It was reset by the client itself.
    let reset = frame(RST_STREAM, 0, 1, b"\0\0\0\x08");
    ends_connection(&together(&[whole.clone(), reset.clone(), again]), closed);
    let after = together(&[whole, reset, frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\x01")]);
    assert_eq!(fate(&after), (None, None));
}

#[test]
fn what_was_sent_before_a_reset_of_ours_was_heard_is_passed_over() {
    let mut bench = Bench::new();
    bench.feed(&begun(&[]));
    bench.accepted.clear();
    assert_eq!(bench.told(RST_STREAM), Some(Reason::CANCEL));
    let trailers = headers(1, END_HEADERS | END_STREAM, b"\x00\x03x-a\x01b");
    bench.feed(&together(&[body(1, b"late", false), trailers]));
    assert_eq!(bench.connection.failed(), None);
    assert!(bench.sent().is_empty());
}

#[test]
fn a_client_that_was_answered_early_need_not_send_the_rest() {
    let mut bench = Bench::new();
    bench.feed(&begun(&[]));
    bench.accepted[0].reply.respond(StatusCode::OK, &HeaderMap::new(), true).unwrap();
    bench.accepted.clear();
    assert_eq!(bench.told(RST_STREAM), Some(Reason::NO_ERROR));
    assert_eq!(bench.connection.streams(), 0);
}

#[test]
fn a_client_that_waits_for_leave_gets_it_when_the_body_is_wanted() {
    let mut bench = Bench::new();
    bench.feed(&begun(&[("expect", "100-continue")]));
    assert!(bench.accepted[0].body.awaits_leave());
    assert!(bench.sent().is_empty());
    assert_eq!(bench.read(0), (Vec::new(), None));
    let sent = bench.sent();
    assert_eq!((sent.len(), sent[0].0.kind, sent[0].0.flags), (1, HEADERS, END_HEADERS));
    assert!(!bench.accepted[0].body.awaits_leave());
    bench.feed(&body(1, b"x", true));
    assert_eq!(bench.read(0).0, b"x");
}

#[test]
fn a_reset_is_heard_by_both_halves() {
    let mut bench = Bench::new();
    bench.feed(&together(&[begun(&[]), body(1, b"x", false)]));
    bench.feed(&frame(RST_STREAM, 0, 1, b"\0\0\0\x08"));
    let gone = Broken::Reset(Reason::CANCEL);
    assert_eq!(bench.read(0), (b"x".to_vec(), Some(Err(gone))));
    assert_eq!(bench.accepted[0].reply.poll_reset(&mut context()), Poll::Ready(gone));
    let late = bench.accepted[0].reply.respond(StatusCode::OK, &HeaderMap::new(), true);
    assert_eq!(late, Err(gone));
}

#[test]
fn the_end_of_a_connection_ends_its_streams() {
    let mut bench = Bench::new();
    bench.feed(&begun(&[]));
    bench.feed(b"");
    assert_eq!(bench.connection.failed(), Some(Failed::Ended));
    assert_eq!(bench.read(0).1, Some(Err(Broken::Closed)));
}

#[test]
fn an_end_that_is_announced_lets_requests_come_until_it_is_heard() {
    let mut bench = Bench::new();
    bench.connection.end();
    let sent = bench.sent();
    assert_eq!(sent.iter().map(|(head, _)| head.kind).collect::<Vec<_>>(), [GOAWAY, PING]);
    let farewell = sent[1].1.clone();
    let ask = bench.ask(1, "/", true);
    bench.feed(&together(&[ask, frame(PING, ACK, 0, &farewell)]));
    let told = bench.sent();
    assert_eq!((told[0].0.kind, &told[0].1[..4]), (GOAWAY, &b"\0\0\0\x01"[..]));
    let late = bench.ask(3, "/late", true);
    bench.feed(&late);
    assert_eq!(bench.accepted.len(), 1);
    bench.accepted[0].reply.respond(StatusCode::OK, &HeaderMap::new(), true).unwrap();
    bench.accepted.clear();
    assert_eq!(bench.sent().len(), 1);
    assert!(matches!(bench.connection.poll_accept(&mut context()), Poll::Ready(None)));
}

#[test]
fn what_does_not_begin_with_the_preface_or_settings_is_refused() {
    let mut bench = Bench::silent();
    bench.feed(b"PRI * HTTP/1.1\r\n");
    assert_eq!(bench.told(GOAWAY), Some(Reason::PROTOCOL_ERROR));
    let mut bench = Bench::silent();
    bench.feed(&[PREFACE, &frame(PING, 0, 0, b"12345678")].concat());
    assert_eq!(bench.told(GOAWAY), Some(Reason::PROTOCOL_ERROR));
}

/// What a connection makes of these bytes when they come in pieces that end there.
fn seen(bytes: &[u8], cuts: &[usize]) -> Vec<String> {
    let mut bench = Bench::new();
    let mut from = 0;
    for cut in cuts.iter().copied().chain([bytes.len()]) {
        if cut > from {
            bench.feed(&bytes[from..cut]);
            from = cut;
        }
    }
    let mut seen = vec![format!("{:?}", bench.connection.failed())];
    for which in 0..bench.accepted.len() {
        let head = bench.accepted[which].head.clone().map(|head| head.target.to_string());
        let (body, end) = bench.read(which);
        seen.push(format!("{head:?} {body:?} {end:?}"));
    }
    let sent = bench.sent().into_iter().filter(|(head, _)| head.kind != WINDOW_UPDATE);
    seen.extend(sent.map(|(head, payload)| format!("{head:?} {payload:?}")));
    seen
}

proptest! {
    #[test]
    fn it_does_not_matter_where_bytes_are_cut(
        bodies in proptest::collection::vec((0..600usize, 0..9u8, any::<bool>()), 1..6),
        mut cuts in proptest::collection::vec(0..4000usize, 0..40),
    ) {
        let mut bench = Bench::new();
        let mut bytes = BytesMut::new();
        for (id, (len, padding, trailers)) in (1..).step_by(2).zip(bodies) {
            bytes.extend(bench.ask(id, &format!("/{id}"), false));
            let zeros = vec![0; usize::from(padding)];
            let padded = [&[padding][..], &vec![b'x'; len], &zeros].concat();
            bytes.extend(frame(DATA, PADDED, id, &padded));
            bytes.extend(body(id, &vec![b'y'; len / 2], !trailers));
            bytes.extend(frame(PING, 0, 0, b"12345678"));
            if trailers {
                bytes.extend(headers(id, END_HEADERS | END_STREAM, b"\x00\x03x-a\x01b"));
            }
        }
        cuts.sort_unstable();
        cuts.retain(|cut| *cut < bytes.len());
        prop_assert_eq!(seen(&bytes, &cuts), seen(&bytes, &[]));
    }
}
