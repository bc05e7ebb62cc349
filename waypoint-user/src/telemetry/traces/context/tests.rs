use proptest::prelude::*;

use super::*;

fn all() -> Rate {
    "100".parse().unwrap()
}

fn none() -> Rate {
    "0".parse().unwrap()
}

fn fields(all: &[(&'static str, &str)]) -> HeaderMap {
    let field = |(name, value): &(&'static str, &str)| {
        (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
    };
    all.iter().map(field).collect()
}

/// Passes fields through a hop whose ids are 7 for a trace and 9 for a span.
fn pass(headers: &mut HeaderMap, rate: Rate) -> Context {
    let received = only(headers, &w3c::PARENT).is_some() || headers.keys().any(is_b3);
    let known = received && super::received(headers).ids.is_some();
    let mut ids = if known { vec![9] } else { vec![7, 9] }.into_iter();
    let context = Context::of(headers, rate, || ids.next().unwrap());
    context.write(headers);
    context
}

fn is_b3(name: &HeaderName) -> bool {
    name.as_str().contains("b3")
}

fn said<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const NEXT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000009-01";

#[test]
fn a_trace_begins_where_there_is_none() {
    let mut headers = HeaderMap::new();
    let context = pass(&mut headers, all());
    assert_eq!((context.trace, context.span, context.parent), (7, 9, None));
    assert_eq!(
        said(&headers, "traceparent"),
        "00-00000000000000000000000000000007-0000000000000009-01"
    );
    assert_eq!(headers.len(), 1, "{headers:?}");
    assert!(!pass(&mut HeaderMap::new(), none()).decision.is_kept());
}

#[test]
fn a_trace_goes_on_with_its_state() {
    let mut headers = fields(&[("traceparent", PARENT), ("tracestate", "a=1, b=2")]);
    let context = pass(&mut headers, none());
    assert_eq!(context.parent, Some(0x00f0_67aa_0ba9_02b7));
    assert!(context.decision.is_kept());
    assert_eq!(said(&headers, "traceparent"), NEXT);
    assert_eq!(said(&headers, "tracestate"), "a=1,b=2");
}

#[test]
fn whoever_said_no_is_heard() {
    for refusal in [
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"),
        ("b3", "0"),
        ("b3", "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-0"),
        ("x-b3-sampled", "0"),
    ] {
        let mut headers = fields(&[refusal]);
        assert!(!pass(&mut headers, all()).decision.is_kept(), "{refusal:?}");
        assert!(said(&headers, "traceparent").ends_with("-00"), "{headers:?}");
    }
}

#[test]
fn a_state_without_its_parent_is_dropped() {
    for parent in [None, Some("nonsense"), Some("ff-1-2-3")] {
        let mut headers = fields(&[("tracestate", "a=1"), ("b3", "1")]);
        if let Some(parent) = parent {
            headers.insert("traceparent", HeaderValue::from_static(parent));
        }
        assert_eq!(pass(&mut headers, all()).trace, 7);
        assert!(!headers.contains_key("tracestate"), "{headers:?}");
    }
}

#[test]
fn two_parents_are_none() {
    let mut headers = fields(&[("traceparent", PARENT)]);
    headers.append("traceparent", HeaderValue::from_static(PARENT));
    let context = Context::of(&headers, all(), || 7);
    assert_eq!((context.trace, context.parent), (7, None));
    context.write(&mut headers);
    assert_eq!(headers.get_all("traceparent").iter().count(), 1);
}

#[test]
fn the_first_format_that_is_understood_counts_and_all_are_written() {
    let b3 = "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-0";
    let multi = [("x-b3-traceid", "64fe8b2a57d3eff7"), ("x-b3-spanid", "e457b5a2e4d86bd1")];
    let both = fields(&[&[("traceparent", PARENT), ("b3", b3)][..], &multi].concat());
    let mut headers = both.clone();
    pass(&mut headers, none());
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    assert_eq!(said(&headers, "traceparent"), NEXT);
    assert_eq!(said(&headers, "b3"), format!("{trace}-0000000000000009-1-00f067aa0ba902b7"));
    assert_eq!(said(&headers, "x-b3-traceid"), trace);
    assert_eq!(said(&headers, "x-b3-spanid"), "0000000000000009");
    assert_eq!(said(&headers, "x-b3-parentspanid"), "00f067aa0ba902b7");
    assert_eq!(said(&headers, "x-b3-sampled"), "1");
    let mut headers = both;
    headers.insert("traceparent", HeaderValue::from_static("nonsense"));
    assert_eq!(pass(&mut headers, all()).decision, Decision::Drop);
    assert_eq!(said(&headers, "x-b3-traceid"), "80f198ee56343ba864fe8b2a57d3eff7");
}

#[test]
fn a_short_trace_stays_short_in_b3() {
    let mut headers = fields(&[("b3", "64fe8b2a57d3eff7-e457b5a2e4d86bd1-d")]);
    pass(&mut headers, none());
    assert_eq!(said(&headers, "b3"), "64fe8b2a57d3eff7-0000000000000009-d-e457b5a2e4d86bd1");
    assert_eq!(
        said(&headers, "traceparent"),
        "00-000000000000000064fe8b2a57d3eff7-0000000000000009-01"
    );
}

#[test]
fn to_debug_is_not_said_twice() {
    let mut headers = fields(&[("x-b3-sampled", "0"), ("x-b3-flags", "1")]);
    assert_eq!(pass(&mut headers, none()).decision, Decision::Debug);
    assert_eq!(said(&headers, "x-b3-flags"), "1");
    assert!(!headers.contains_key("x-b3-sampled"), "{headers:?}");
}

prop_compose! {
    fn context()(
        (trace, span, parent) in (1..=u128::MAX, 1..=u64::MAX, proptest::option::of(1..=u64::MAX)),
        (decision, short, random) in (0_usize..3, any::<bool>(), any::<bool>()),
    ) -> Context {
        Context {
            trace: if short { u128::from(low_half(trace).max(1)) } else { trace },
            span,
            parent,
            decision: [Decision::Drop, Decision::Keep, Decision::Debug][decision],
            widths: if short { Widths::Short } else { Widths::Long },
            random,
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(context in context()) {
        let ids = Some((context.trace, context.span));
        let parent = w3c::parse(&w3c::write(&context)).unwrap();
        prop_assert_eq!(parent.ids, ids);
        prop_assert_eq!(parent.random, context.random);
        prop_assert_eq!(parent.decision.unwrap().is_kept(), context.decision.is_kept());
        let mut headers = fields(&[("b3", "0"), ("x-b3-sampled", "0")]);
        context.write(&mut headers);
        let single = b3::parse(said(&headers, "b3")).unwrap();
        let multi = b3::parse_fields(&headers).unwrap();
        prop_assert_eq!(single, multi);
        prop_assert_eq!(single.ids, ids);
        prop_assert_eq!(single.decision, Some(context.decision));
        prop_assert_eq!(single.widths, context.widths);
    }

    #[test]
    fn whatever_comes_one_valid_parent_leaves(
        values in proptest::collection::vec((0_usize..8, "[ -~]{0,60}"), 0..6),
        random: u128,
    ) {
        let names = [
            "traceparent", "tracestate", "b3", "x-b3-traceid", "x-b3-spanid", "x-b3-sampled",
            "x-b3-flags", "x-b3-parentspanid",
        ];
        let mut headers = HeaderMap::new();
        for (name, value) in &values {
            headers.append(names[*name], HeaderValue::from_str(value).unwrap());
        }
        let context = Context::of(&headers, Rate::default(), || random);
        context.write(&mut headers);
        let parent = only(&headers, &w3c::PARENT).and_then(w3c::parse).unwrap();
        prop_assert_eq!(parent.ids, Some((context.trace, context.span)));
    }
}
