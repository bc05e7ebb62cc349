use super::*;

#[test]
fn durations_are_written_as_in_go() {
    let cases =
        [("90s", 90_000), ("1m30s", 90_000), ("2", 2000), ("500ms", 500), ("1h", 3_600_000)];
    for (text, ms) in cases {
        assert_eq!(parse(text).unwrap(), Duration::from_millis(ms), "{text}");
    }
    for wrong in ["", "s", "1x", "-1s", "1s1", "99999999999999999999s", "18446744073709551615h"] {
        assert!(parse(wrong).is_err(), "{wrong:?}");
    }
}
