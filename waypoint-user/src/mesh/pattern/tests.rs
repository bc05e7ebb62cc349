use proptest::prelude::*;

use super::*;

fn regex(source: &str) -> Regex {
    Regex::new(source).unwrap()
}

#[test]
fn an_expression_matches_the_whole_text_or_not_at_all() {
    let cases = [
        ("a+", "aa", true),
        ("a+", "aab", false),
        ("a+", "baa", false),
        ("a+", "aa\n", false),
        ("a|b", "b", true),
        ("a|b", "bc", false),
        ("", "", true),
        ("", "a", false),
        ("(?i)abc", "ABC", true),
        ("(?m)a$", "a\nb", false),
        ("\\d+", "123", true),
        (".*", "a/b c", true),
    ];
    for (source, text, expected) in cases {
        assert_eq!(regex(source).matches(text), expected, "{source} on {text:?}");
    }
}

#[test]
fn an_expression_cannot_break_out_of_the_anchors() {
    let error = Regex::new("a)|(b").unwrap_err();
    assert!(error.to_string().starts_with("invalid regular expression \"a)|(b\": "), "{error}");
    assert!(Regex::new("a)|(?:b").is_err());
}

#[test]
fn a_malformed_or_too_large_expression_is_refused() {
    assert!(Regex::new("(").is_err());
    assert!(Regex::new("(?=a)").is_err());
    assert!(Regex::new("(\\w{100}){100}").is_err());
}

#[test]
fn what_routes_usually_ask_for_fits_the_limit() {
    let usual = [
        "/api/v\\d+/users/\\w+(/.*)?",
        "(?i)/api/[a-z0-9_-]+/items/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        "(en|de|fr)-[A-Z]{2}.*",
        "\\w+@\\w+\\.\\w+",
        "\\p{Greek}+",
        ".{0,64}",
    ];
    for source in usual {
        assert!(Regex::new(source).is_ok(), "{:?}", Regex::new(source));
    }
}

#[test]
fn expressions_are_equal_when_they_are_written_alike() {
    assert_eq!(regex("a+"), regex("a+"));
    assert_ne!(regex("a+"), regex("aa*"));
    assert_eq!(regex("a+").as_str(), "a+");
    assert_eq!(format!("{:?}", regex("a+")), "Regex(\"a+\")");
}

#[test]
fn string_matches_are_exact_prefix_suffix_or_present() {
    let cases = [
        ("a", "a", true),
        ("a", "ab", false),
        ("a*", "ab", true),
        ("a*", "a", true),
        ("a*", "ba", false),
        ("*a", "ba", true),
        ("*a", "ab", false),
        ("*", "a", true),
        ("*", "", false),
        ("", "", true),
        ("", "a", false),
        ("a*b", "a*b", true),
        ("a*b", "axb", false),
    ];
    for (pattern, text, expected) in cases {
        assert_eq!(StringMatch::parse(pattern).matches(text), expected, "{pattern} on {text:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_text_is_a_pattern_and_an_escaped_text_matches_itself_alone(text: String, other: String) {
        StringMatch::parse(&text);
        let itself = regex(&regex::escape(&text));
        prop_assert!(itself.matches(&text));
        prop_assert_eq!(itself.matches(&other), text == other);
    }

    #[test]
    fn no_text_makes_compiling_panic(source: String) {
        let _ = Regex::new(&source);
    }
}
