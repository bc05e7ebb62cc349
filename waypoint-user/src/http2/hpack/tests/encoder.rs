//! What an encoder makes of fields.

use super::*;

fn field(encoder: &mut Encoder, name: &'static str, value: &str) -> Vec<u8> {
    encode(encoder, &owned(&[(name, value)]))
}

#[test]
fn what_both_sides_know_is_one_byte() {
    let mut encoder = Encoder::new();
    let fields = [
        (":method", "GET"),
        (":method", "POST"),
        (":scheme", "http"),
        (":scheme", "https"),
        (":path", "/"),
        ("accept-encoding", "gzip, deflate"),
    ];
    let statuses = ["200", "204", "206", "304", "400", "404", "500"].map(|text| (":status", text));
    for known in fields.iter().chain(&statuses) {
        let block = field(&mut encoder, known.0, known.1);
        assert_eq!(block.len(), 1, "{known:?}");
        assert_eq!(decode(&mut Decoder::new(0), &block).unwrap(), owned(&[*known]));
    }
}

#[test]
fn what_comes_again_is_remembered() {
    let mut encoder = Encoder::new();
    for (name, value) in [("x-tenant", "a"), ("user-agent", "b"), (":authority", "c")] {
        let lens: Vec<usize> = (0..4).map(|_| field(&mut encoder, name, value).len()).collect();
        assert!(lens[0] > 1 && lens[1] > 1, "{name}");
        assert_eq!(lens[2..], [1, 1], "{name}");
        assert!(field(&mut encoder, name, "another").len() <= 2 + 1 + "another".len(), "{name}");
    }
}

#[test]
fn what_changes_with_every_message_drives_nothing_out() {
    let mut encoder = Encoder::new();
    field(&mut encoder, "x-tenant", "a");
    field(&mut encoder, "x-tenant", "a");
    for number in 0..10_000 {
        field(&mut encoder, "x-request-id", &format!("{number:032x}"));
    }
    assert_eq!(field(&mut encoder, "x-tenant", "a").len(), 1);
}

#[test]
fn secrets_are_never_indexed() {
    let mut encoder = Encoder::new();
    let names = ["authorization", "cookie", "proxy-authorization", "set-cookie"];
    for name in names.into_iter().cycle().take(12) {
        let block = field(&mut encoder, name, "secret");
        assert_eq!(block[0] & 0xf0, 0x10, "{name}");
        assert!(block.len() > "secret".len(), "{name}");
    }
    let mut value = HeaderValue::from_static("gzip, deflate");
    value.set_sensitive(true);
    for _ in 0..3 {
        let mut block = BytesMut::new();
        encoder.field(&http::header::ACCEPT_ENCODING, &value, &mut block);
        assert_eq!(block[0] & 0xf0, 0x10);
    }
}

#[test]
fn a_side_that_remembers_nothing_is_told_so_and_then_nothing_is_indexed() {
    let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new(TABLE_BYTES));
    let fields = owned(&[("x-tenant", "a")]);
    for _ in 0..3 {
        decode(&mut decoder, &encode(&mut encoder, &fields)).unwrap();
    }
    encoder.set_peer_max(0);
    for _ in 0..3 {
        let block = encode(&mut encoder, &fields);
        assert!(block.len() > fields[0].0.len());
        assert_eq!(decode(&mut decoder, &block).unwrap(), fields);
    }
    encoder.set_peer_max(1 << 30);
    assert_eq!(encode(&mut encoder, &[]), hex("3fe1 1f"));
}

#[test]
fn pseudo_fields_are_written_whatever_they_say() {
    let mut block = BytesMut::new();
    let mut encoder = Encoder::new();
    encoder.method(&Method::from_bytes(b"PURGE").unwrap(), &mut block);
    encoder.status(StatusCode::IM_A_TEAPOT, &mut block);
    encoder.scheme("ftp", &mut block);
    encoder.protocol("websocket", &mut block);
    encoder.path("/index.html", &mut block);
    let expected = [
        (":method", "PURGE"),
        (":status", "418"),
        (":scheme", "ftp"),
        (":protocol", "websocket"),
        (":path", "/index.html"),
    ];
    assert_eq!(decode(&mut Decoder::new(TABLE_BYTES), &block).unwrap(), owned(&expected));
}

#[test]
fn paths_are_never_indexed() {
    let mut encoder = Encoder::new();
    for _ in 0..3 {
        assert_eq!(field(&mut encoder, ":path", "/?token=secret")[0], 0x14);
    }
}

#[test]
fn values_lose_blanks_at_their_ends() {
    let mut block = BytesMut::new();
    let value = HeaderValue::from_static(" a b\t");
    Encoder::new().field(&HeaderName::from_static("x-a"), &value, &mut block);
    let decoded = decode(&mut Decoder::new(TABLE_BYTES), &block).unwrap();
    assert_eq!(decoded, owned(&[("x-a", "a b")]));
}
