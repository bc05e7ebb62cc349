use proptest::prelude::*;

use super::*;

fn literal(text: &str) -> TemplateSegment {
    TemplateSegment::Literal(text.to_owned())
}

#[test]
fn a_path_without_operators_is_a_string_match() {
    let parse = |text| PathPattern::parse(text).unwrap();
    assert_eq!(parse("/a"), PathPattern::String(StringMatch::Exact("/a".into())));
    assert_eq!(parse("/a*"), PathPattern::String(StringMatch::Prefix("/a".into())));
    assert_eq!(parse("*.html"), PathPattern::String(StringMatch::Suffix(".html".into())));
    assert_eq!(parse("*"), PathPattern::String(StringMatch::Present));
    assert_eq!(parse("/{a}"), PathPattern::String(StringMatch::Exact("/{a}".into())));
}

#[test]
fn a_path_with_operators_is_a_template() {
    let template = PathTemplate::parse("/a/{*}/c/{**}/").unwrap();
    let expected =
        [literal("a"), TemplateSegment::One, literal("c"), TemplateSegment::Many, literal("")];
    assert_eq!(template.segments, expected);
    assert_eq!(
        PathPattern::parse("/{**}"),
        Ok(PathPattern::Template(PathTemplate { segments: vec![TemplateSegment::Many] }))
    );
}

#[test]
fn a_malformed_template_is_refused_with_a_reason() {
    let reason = |text| PathPattern::parse(text).unwrap_err().to_string();
    assert_eq!(reason("a/{*}"), "path template \"a/{*}\" does not begin with /");
    assert!(reason("/a{*}").contains("not a whole segment"));
    assert!(reason("/{*}/b*").contains("not a whole segment"));
    assert!(reason("/{*}/{name}").contains("not a whole segment"));
    assert!(reason("/{**}/{*}").contains("operator after {**}"));
    assert!(reason("/{**}/{**}").contains("operator after {**}"));
}

#[test]
fn no_values_are_no_restriction() {
    let none: AnyNone<u16> = AnyNone::default();
    assert!(none.is_empty());
    assert!(none.holds(|_| false));
}

#[test]
fn any_must_and_none_must_not_match() {
    let values = AnyNone { any: vec![1, 2], none: vec![2] };
    assert!(!values.is_empty());
    assert!(values.holds(|value| *value == 1));
    assert!(!values.holds(|value| *value == 2));
    assert!(!values.holds(|value| *value == 3));
    let only_none = AnyNone { any: vec![], none: vec![2] };
    assert!(only_none.holds(|value| *value == 3));
    assert!(!only_none.holds(|value| *value == 2));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_parses_as_a_template_prints_back_as_it_was(
        text in "/?(a|b|\\{\\*\\}|\\{\\*\\*\\}|/|\\*|\\{|\\}){0,8}",
    ) {
        if let Ok(template) = PathTemplate::parse(&text) {
            let mut printed = String::new();
            for segment in &template.segments {
                printed.push('/');
                printed.push_str(match segment {
                    TemplateSegment::Literal(literal) => literal,
                    TemplateSegment::One => "{*}",
                    TemplateSegment::Many => "{**}",
                });
            }
            prop_assert_eq!(printed, text);
        }
    }
}
