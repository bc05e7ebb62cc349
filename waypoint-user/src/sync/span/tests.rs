use super::*;

#[test]
fn lengths_of_time_are_read_as_the_gateway_api_writes_them() {
    let cases = [
        ("0s", 0),
        ("250ms", 250),
        ("1m30s", 90_000),
        ("1h", 3_600_000),
        ("1h1m1s1ms", 3_661_001),
        ("99999ms", 99_999),
    ];
    for (text, millis) in cases {
        assert_eq!(text.parse(), Ok(Span::millis(millis)), "{text}");
    }
}

#[test]
fn anything_else_is_refused() {
    for text in ["", "5", "-1s", "1.5s", "1d", "s", "100000s", "1s1s1s1s1s", "1s ", "١s"] {
        assert!(text.parse::<Span>().is_err(), "{text}");
    }
}

#[test]
fn what_is_written_is_read_again() {
    for (text, written) in [
        ("0s", "0s"),
        ("300s", "5m"),
        ("1500ms", "1s500ms"),
        ("25ms", "25ms"),
        ("1h1m1s1ms", "1h1m1s1ms"),
        ("99999s", "27h46m39s"),
        ("99999h", "99999h"),
        ("99999h99999h", "99999h59m59s999ms"),
        ("99999h99999h99999h99999h", "99999h59m59s999ms"),
    ] {
        let span: Span = text.parse().unwrap();
        assert_eq!(span.to_string(), written);
        assert_eq!(written.parse(), Ok(span), "{text}");
    }
}
