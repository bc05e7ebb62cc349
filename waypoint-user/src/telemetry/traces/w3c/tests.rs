use proptest::prelude::*;

use super::*;

const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[test]
fn a_parent_of_version_00_is_read_as_it_is_written() {
    let read = parse(GOOD).unwrap();
    let ids = (0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736, 0x00f0_67aa_0ba9_02b7);
    assert_eq!((read.ids, read.decision), (Some(ids), Some(Decision::Keep)));
    assert_eq!(parse(&GOOD.replace("-01", "-00")).unwrap().decision, Some(Decision::Drop));
    assert!(parse(&GOOD.replace("-01", "-03")).unwrap().random);
}

#[test]
fn what_is_malformed_is_no_parent() {
    for bad in [
        "",
        "00",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-011",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "0-04bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00.4bf92f3577b34da6a3ce929d0e0e4736.00f067aa0ba902b7.01",
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.more",
        "00-4bf92f3577b34da6a3ce929d0e0e473\u{fc}-00f067aa0ba902b7-01",
    ] {
        assert_eq!(parse(bad), None, "{bad}");
    }
}

#[test]
fn a_later_version_is_read_as_far_as_it_is_known() {
    let later = GOOD.replacen("00", "cc", 1);
    assert_eq!(parse(&later), parse(GOOD));
    assert_eq!(parse(&format!("{later}-what-comes-then")), parse(GOOD));
}

fn states(values: &[&str]) -> Option<String> {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(&STATE, HeaderValue::from_str(value).unwrap());
    }
    state(&headers).map(|state| state.to_str().unwrap().to_owned())
}

#[test]
fn a_state_is_kept_whole_in_one_field() {
    assert_eq!(states(&["a=1 , b@c=2", "d=3"]).unwrap(), "a=1,b@c=2,d=3");
    assert_eq!(states(&["a=1,,b=2,"]).unwrap(), "a=1,b=2");
    assert_eq!(states(&["", " "]), None);
}

#[test]
fn a_state_that_is_too_long_or_malformed_is_dropped_whole() {
    let members = |number: usize| vec!["a=1"; number].join(",");
    assert!(states(&[&members(32)]).is_some());
    assert_eq!(states(&[&members(33)]), None);
    let long = |len: usize| format!("a={},b={}", "v".repeat(250), "v".repeat(len - 255));
    assert_eq!(states(&[&long(511)]).unwrap().len(), 511);
    let full = format!("a={},b={},c=1", "v".repeat(250), "v".repeat(253));
    assert_eq!(states(&[&full]).unwrap().len(), 512);
    assert_eq!(states(&[&format!("{full}1")]), None);
    for bad in ["a", "=1", "a=", "A=1", "a=1,b", "a=b=c", "a b=1"] {
        assert_eq!(states(&[bad]), None, "{bad}");
    }
}

proptest! {
    #[test]
    fn no_text_breaks_the_parser(text in ".{0,80}") {
        parse(&text);
    }

    #[test]
    fn no_parent_like_text_breaks_the_parser(text in "[0-9a-fA-F-]{50,60}") {
        parse(&text);
    }

    #[test]
    fn no_state_breaks_the_parser(values in proptest::collection::vec("[ -~]{0,300}", 0..4)) {
        let all: Vec<&str> = values.iter().map(String::as_str).collect();
        prop_assert!(states(&all).is_none_or(|state| state.len() <= STATE_BYTES_MAX));
    }
}
