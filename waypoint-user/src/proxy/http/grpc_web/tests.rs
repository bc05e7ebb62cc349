use http::{HeaderMap, HeaderValue};
use hyper::body::{Bytes, Frame};
use proptest::prelude::*;

use super::{
    GrpcWeb, STANDARD, dialect,
    text::{Decoder, NotText},
};
use base64::Engine as _;

fn fields(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    let field = |(name, value): &(&'static str, &'static str)| {
        (name.parse::<http::HeaderName>().unwrap(), HeaderValue::from_static(value))
    };
    fields.iter().map(field).collect()
}

fn web(content_type: &'static str, accept: &'static str) -> Option<GrpcWeb> {
    GrpcWeb::of(&fields(&[("content-type", content_type), ("accept", accept)]))
}

#[test]
fn a_dialect_is_told_by_the_media_type_alone() {
    for none in ["application/grpc", "application/grpc+proto", "application/grpc-webby", "text/x"] {
        assert_eq!(web(none, "application/grpc-web"), None, "{none}");
    }
    for (kind, format) in [
        ("application/grpc-web", ""),
        ("application/grpc-web+proto", "+proto"),
        ("application/grpc-web-text+json; charset=utf-8", "+json"),
        ("application/grpc-web-text", ""),
    ] {
        let kind = HeaderValue::from_static(kind);
        assert_eq!(dialect(&kind).unwrap().1, format);
    }
}

#[test]
fn a_response_is_coded_as_it_is_accepted_else_like_its_request() {
    let text = "application/grpc-web-text+proto";
    let bytes = "application/grpc-web+proto";
    for (asked, accepts, told) in [
        ("application/grpc-web", "*/*", bytes),
        ("application/grpc-web-text", "*/*", text),
        ("application/grpc-web-text", "application/grpc-web", bytes),
        ("application/grpc-web+proto", "application/grpc-web-text", text),
    ] {
        let web = web(asked, accepts).unwrap();
        let mut headers = fields(&[("content-type", "application/grpc")]);
        assert!(web.translate_response(&mut headers));
        assert_eq!(headers["content-type"], told, "{asked}, {accepts}");
        assert_eq!(web.content_type(), told);
    }
}

#[test]
fn fields_are_those_of_the_other_side() {
    let mut headers = fields(&[
        ("content-type", "application/grpc-web-text+json"),
        ("content-length", "8"),
        ("x-grpc-web", "1"),
    ]);
    GrpcWeb::translate_request(&mut headers);
    assert_eq!(
        headers,
        fields(&[
            ("content-type", "application/grpc+json"),
            ("x-grpc-web", "1"),
            ("te", "trailers")
        ])
    );
    let web = web("application/grpc-web", "").unwrap();
    let mut answer = fields(&[("content-type", "application/grpc+json"), ("grpc-status", "5")]);
    assert!(web.translate_response(&mut answer));
    let told = [("content-type", "application/grpc-web+json"), ("grpc-status", "5")];
    assert_eq!(answer, fields(&told));
    let mut page = fields(&[("content-type", "text/html")]);
    assert!(!web.translate_response(&mut page));
    assert_eq!(page["content-type"], "text/html");
}

#[test]
fn trailers_are_the_last_frame() {
    let trailers = fields(&[("grpc-status", "5"), ("grpc-message", "gone")]);
    let lines = b"grpc-status:5\r\ngrpc-message:gone\r\n";
    let told = [&b"\x80\0\0\0"[..], &[u8::try_from(lines.len()).unwrap()], lines].concat();
    let in_bytes = web("application/grpc-web", "").unwrap();
    let frame = in_bytes.translate(Frame::trailers(trailers.clone()));
    assert_eq!(frame.into_data().unwrap(), told);
    let in_text = web("application/grpc-web-text", "").unwrap();
    let frame = in_text.translate(Frame::trailers(trailers));
    assert_eq!(frame.into_data().unwrap(), STANDARD.encode(told));
}

#[test]
fn what_is_no_base64_is_refused() {
    for wrong in ["AA!A", "A===", "====", "AB=A", "AAB="] {
        assert_eq!(Decoder::default().decode(wrong.as_bytes()), Err(NotText::Character), "{wrong}");
    }
    let mut decoder = Decoder::default();
    assert_eq!(decoder.decode(b"AAAAAA").unwrap(), [0; 3]);
    assert_eq!(decoder.end(), Err(NotText::Cut));
}

/// Cuts bytes at places.
fn cut<'b>(bytes: &'b [u8], at: &[usize]) -> Vec<&'b [u8]> {
    let mut places: Vec<usize> = at.iter().map(|at| at % (bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

/// What a client makes of a response's text.
fn heard(text: &[u8]) -> Vec<u8> {
    let mut decoder = Decoder::default();
    let bytes = decoder.decode(text).unwrap();
    decoder.end().unwrap();
    bytes
}

proptest! {
    /// However a client cuts its bytes before it encodes them, and the text on its way.
    #[test]
    fn a_text_is_the_same_bytes_however_it_is_cut(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        encoded_at in prop::collection::vec(any::<usize>(), 0..5),
        sent_at in prop::collection::vec(any::<usize>(), 0..20),
    ) {
        let parts = cut(&bytes, &encoded_at);
        let text: String = parts.into_iter().map(|part| STANDARD.encode(part)).collect();
        let mut decoder = Decoder::default();
        let mut decoded = Vec::new();
        for piece in cut(text.as_bytes(), &sent_at) {
            decoded.extend(decoder.decode(piece).unwrap());
            prop_assert!(decoder.rest_len() < 4);
        }
        decoder.end().unwrap();
        prop_assert_eq!(decoded, bytes);
    }

    /// However an endpoint cuts its response.
    #[test]
    fn a_response_in_text_is_the_same_bytes_however_it_is_cut(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        at in prop::collection::vec(any::<usize>(), 0..20),
    ) {
        let web = web("application/grpc-web-text", "").unwrap();
        let mut text = Vec::new();
        for piece in cut(&bytes, &at) {
            let frame = web.translate(Frame::data(Bytes::copy_from_slice(piece)));
            text.extend(frame.into_data().unwrap());
        }
        prop_assert_eq!(heard(&text), bytes);
    }
}
