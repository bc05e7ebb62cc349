use super::*;

#[test]
fn sizes_are_bytes_or_have_a_unit() {
    for (text, expected) in [
        ("1000", Some(1000)),
        ("512Mi", Some(512 << 20)),
        ("2Gi", Some(2 << 30)),
        ("64Ki", Some(64 << 10)),
        ("0", None),
        ("", None),
        ("Mi", None),
        ("-1", None),
        ("1.5Gi", None),
        ("18446744073709551615Ki", None),
    ] {
        assert_eq!(parse_bytes(text).ok(), expected, "{text:?}");
    }
}

#[test]
fn nothing_said_is_what_the_engine_has() {
    let engine = proxy::Settings::default();
    assert_eq!((engine.connections_max, engine.requests_max), (number(MOST), number(MOST)));
}
