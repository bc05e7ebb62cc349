//! Responses as they leave for clients.

use http::Version;

use super::*;

/// What is written for a head.
fn written(
    (version, status): (Version, u16),
    headers: &[(HeaderName, &str)],
    framing: Framing,
    connection: Option<&'static str>,
) -> String {
    let fields = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap()));
    let headers: HeaderMap = fields.collect();
    let mut output = BytesMut::new();
    let status = StatusCode::from_u16(status).unwrap();
    let head =
        ResponseHead { version, status, headers: &headers, framing, connection, date: "now" };
    write_response(&head, &mut output);
    String::from_utf8(output.to_vec()).unwrap()
}

#[test]
fn a_response_is_framed_by_what_its_body_is() {
    let lies = [(header::CONTENT_LENGTH, "9"), (header::TRANSFER_ENCODING, "gzip")];
    let write = |framing| written((Version::HTTP_11, 200), &lies, framing, None);
    let head = "HTTP/1.1 200 OK\r\ndate: now\r\n";
    assert_eq!(write(Framing::Length(5)), format!("{head}content-length: 5\r\n\r\n"));
    assert_eq!(write(Framing::Chunked), format!("{head}transfer-encoding: chunked\r\n\r\n"));
    assert_eq!(write(Framing::UntilClose), format!("{head}\r\n"));
    let told = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\ndate: now\r\n\r\n";
    assert_eq!(write(Framing::None), told);
}

#[test]
fn responses_that_never_have_a_body_tell_no_length() {
    let length = [(header::CONTENT_LENGTH, "9"), (header::CONNECTION, "upgrade")];
    let write = |status| written((Version::HTTP_11, status), &length, Framing::None, None);
    assert_eq!(write(204), "HTTP/1.1 204 No Content\r\ndate: now\r\n\r\n");
    assert_eq!(write(103), "HTTP/1.1 103 Early Hints\r\n\r\n");
    assert_eq!(write(304), "HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\ndate: now\r\n\r\n");
    assert_eq!(write(101), "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n\r\n");
}

#[test]
fn a_client_is_told_what_becomes_of_the_connection() {
    let old = written((Version::HTTP_10, 200), &[], Framing::Length(0), Some("keep-alive"));
    let fields = "connection: keep-alive\r\ndate: now\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(old, format!("HTTP/1.0 200 OK\r\n{fields}"));
    let dated = [(header::DATE, "then")];
    let new = written((Version::HTTP_11, 599), &dated, Framing::Length(0), Some("close"));
    let fields = "date: then\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(new, format!("HTTP/1.1 599 \r\n{fields}"));
}

#[test]
fn dates_are_those_of_the_calendar() {
    for (seconds, date) in [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (1_709_251_199, "Thu, 29 Feb 2024 23:59:59 GMT"),
        (1_798_761_599, "Thu, 31 Dec 2026 23:59:59 GMT"),
        (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
    ] {
        assert_eq!(http_date(seconds), date);
    }
}
