use super::*;

#[test]
fn durations_are_numbers_with_units() {
    for (text, millis) in [
        ("10s", 10_000),
        ("500ms", 500),
        ("1h30m", 5_400_000),
        ("1h2m3s4ms", 3_723_004),
        ("0s", 0),
        ("99999h", 359_996_400_000),
    ] {
        assert_eq!(parse(text), Some(Duration::from_millis(millis)), "{text}");
    }
}

#[test]
fn anything_else_is_none() {
    for text in ["", "10", "s", "1.5s", "-1s", "1d", "100000s", "1s2s3s4s5s", " 1s", "1s "] {
        assert_eq!(parse(text), None, "{text}");
    }
}
