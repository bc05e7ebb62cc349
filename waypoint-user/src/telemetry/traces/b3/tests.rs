use http::HeaderValue;
use proptest::prelude::*;

use super::*;

const TRACE_LONG: &str = "80f198ee56343ba864fe8b2a57d3eff7";
const SPAN_ID: &str = "e457b5a2e4d86bd1";

#[test]
fn a_single_field_is_read() {
    let long = (0x80f1_98ee_5634_3ba8_64fe_8b2a_57d3_eff7, 0xe457_b5a2_e4d8_6bd1);
    for (rest, decision) in [
        ("", None),
        ("-0", Some(Decision::Drop)),
        ("-1", Some(Decision::Keep)),
        ("-d", Some(Decision::Debug)),
        ("-1-05e3ac9a4f6e3b90", Some(Decision::Keep)),
    ] {
        let read = parse(&format!("{TRACE_LONG}-{SPAN_ID}{rest}")).unwrap();
        assert_eq!((read.ids, read.decision, read.widths), (Some(long), decision, Widths::Long));
    }
    let short = parse("64fe8b2a57d3eff7-e457b5a2e4d86bd1").unwrap();
    assert_eq!(short.ids, Some((0x64fe_8b2a_57d3_eff7, 0xe457_b5a2_e4d8_6bd1)));
    assert_eq!(short.widths, Widths::Short);
    let decided = parse("0").unwrap();
    assert_eq!((decided.ids, decided.decision), (None, Some(Decision::Drop)));
}

#[test]
fn what_is_malformed_is_no_field() {
    for bad in [
        "",
        "2",
        "-",
        "80f198ee56343ba8-e457b5a2e4d86bd",
        "80f198ee56343ba8-E457B5A2E4D86BD1",
        "80f198ee56343ba864fe-e457b5a2e4d86bd1",
        "0000000000000000-e457b5a2e4d86bd1",
        "80f198ee56343ba8-0000000000000000",
        "80f198ee56343ba8-e457b5a2e4d86bd1-x",
        "80f198ee56343ba8-e457b5a2e4d86bd1-1-x",
        "80f198ee56343ba8-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90-1",
        "80f198ee56343ba8-e457b5a2e4d86bd1-",
    ] {
        assert_eq!(parse(bad), None, "{bad}");
    }
}

fn fields(all: &[(&'static str, &str)]) -> HeaderMap {
    all.iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
        .collect()
}

#[test]
fn fields_of_their_own_are_read() {
    let ids = [("x-b3-traceid", "64fe8b2a57d3eff7"), ("x-b3-spanid", SPAN_ID)];
    for (more, decision) in [
        (vec![], None),
        (vec![("x-b3-sampled", "0")], Some(Decision::Drop)),
        (vec![("x-b3-sampled", "true")], Some(Decision::Keep)),
        (vec![("x-b3-flags", "1")], Some(Decision::Debug)),
        (vec![("x-b3-sampled", "0"), ("x-b3-flags", "1")], Some(Decision::Debug)),
        (vec![("x-b3-flags", "0")], None),
    ] {
        let read = parse_fields(&fields(&[&ids[..], &more].concat())).unwrap();
        assert_eq!((read.ids.is_some(), read.decision), (true, decision), "{more:?}");
    }
    let decided = parse_fields(&fields(&[("x-b3-sampled", "0")])).unwrap();
    assert_eq!((decided.ids, decided.decision), (None, Some(Decision::Drop)));
    assert_eq!(parse_fields(&fields(&ids[..1])), None);
    assert_eq!(parse_fields(&HeaderMap::new()), None);
}

proptest! {
    #[test]
    fn no_text_breaks_the_parser(text in ".{0,80}") {
        parse(&text);
    }

    #[test]
    fn no_field_like_text_breaks_the_parser(
        text in "[0-9a-f]{15,33}-[0-9a-f]{15,17}(-[01dx]{0,2}(-[0-9a-f]{15,17})?)?",
    ) {
        parse(&text);
        parse_fields(&fields(&[("x-b3-traceid", &text), ("x-b3-spanid", &text)]));
    }
}
