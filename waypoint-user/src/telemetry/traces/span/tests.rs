use std::time::{Duration, SystemTime};

use opentelemetry_proto::tonic::common::v1::any_value::Value;

use super::{
    super::{b3::Widths, context::Decision},
    *,
};

fn entry() -> Entry {
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(5);
    let mut entry =
        Entry::new(start, "10.0.0.1:5".parse().unwrap(), "10.9.0.1:80".parse().unwrap());
    entry.method = Some(Method::GET);
    entry.path = Some("/cart?token=secret".parse().unwrap());
    entry.authority = Some("reviews:8080".to_owned());
    entry.protocol = Some("HTTP/1.1");
    entry.response_code = 200;
    entry.response_flags = Some("-");
    entry.duration = Duration::from_millis(3);
    entry.waypoint = Some("shop/waypoint".into());
    entry
}

fn span() -> Span {
    span_of(entry())
}

fn span_of(entry: Entry) -> Span {
    let context = Context {
        trace: 7,
        span: 9,
        parent: Some(8),
        decision: Decision::Keep,
        widths: Widths::Long,
        random: false,
    };
    let service = ServiceLabels {
        host: "reviews.shop.svc.cluster.local".to_owned(),
        name: "reviews".to_owned(),
        namespace: "shop".to_owned(),
    };
    Span::new(context, entry, service, (false, None))
}

/// An attribute as text.
fn told(span: &Span, key: &str) -> Option<String> {
    let all = span.to_otlp().attributes;
    let mut same = all.iter().filter(|attribute| attribute.key == key);
    let value = same.next()?.value.clone()?.value?;
    assert!(same.next().is_none(), "{key} twice");
    match value {
        Value::StringValue(text) => Some(text),
        Value::IntValue(number) => Some(number.to_string()),
        other => panic!("{key} is {other:?}"),
    }
}

#[test]
fn a_span_has_its_place_and_its_time() {
    let otlp = span().to_otlp();
    assert_eq!(otlp.trace_id, 7_u128.to_be_bytes());
    assert_eq!(otlp.span_id, 9_u64.to_be_bytes());
    assert_eq!(otlp.parent_span_id, 8_u64.to_be_bytes());
    assert_eq!(otlp.start_time_unix_nano, 5_000_000_000);
    assert_eq!(otlp.end_time_unix_nano, 5_003_000_000);
    assert_eq!(otlp.name, "GET reviews.shop.svc.cluster.local");
    assert_eq!(otlp.kind, i32::from(SpanKind::Server));
    assert_eq!(otlp.flags, 0x301);
}

#[test]
fn a_span_tells_of_the_request_but_not_what_was_asked_of_the_path() {
    let span = span();
    for (key, value) in [
        ("http.request.method", "GET"),
        ("url.path", "/cart"),
        ("server.address", "reviews"),
        ("server.port", "8080"),
        ("client.address", "10.0.0.1"),
        ("network.protocol.version", "1.1"),
        ("http.response.status_code", "200"),
        ("response_flags", "-"),
        ("istio.canonical_service", "waypoint"),
        ("istio.namespace", "shop"),
        ("istio.destination_service_name", "reviews"),
    ] {
        assert_eq!(told(&span, key).as_deref(), Some(value), "{key}");
    }
    assert!(!format!("{:?}", span.to_otlp()).contains("secret"));
    assert_eq!(told(&span, "rpc.system"), None);
}

#[test]
fn a_method_that_nobody_knows_makes_no_name_of_its_own() {
    let mut span = span();
    span.entry.method = Some("BREW".parse().unwrap());
    assert_eq!(span.to_otlp().name, "HTTP reviews.shop.svc.cluster.local");
    assert_eq!(told(&span, "http.request.method").unwrap(), "_OTHER");
    assert_eq!(told(&span, "http.request.method_original").unwrap(), "BREW");
}

#[test]
fn a_call_is_named_after_what_is_called() {
    let mut span = span();
    (span.is_grpc, span.grpc_status) = (true, Some(14));
    span.path = Some("/shop.Reviews/List".to_owned());
    let otlp = span.to_otlp();
    assert_eq!(otlp.name, "shop.Reviews/List");
    assert_eq!(otlp.status.unwrap().code, i32::from(StatusCode::Error));
    assert_eq!(told(&span, "rpc.service").unwrap(), "shop.Reviews");
    assert_eq!(told(&span, "rpc.method").unwrap(), "List");
    assert_eq!(told(&span, "rpc.grpc.status_code").unwrap(), "14");
    assert_eq!(told(&span, "error.type").unwrap(), "14");
}

#[test]
fn failures_are_those_of_servers() {
    for (status, blame, failed, kind) in [
        (200, None, false, None),
        (404, Some("client"), false, None),
        (403, Some("waypoint"), false, None),
        (503, Some("backend"), true, Some("503")),
        (500, None, true, Some("500")),
        (200, Some("backend"), true, Some("UC")),
        (0, Some("client"), false, None),
    ] {
        let mut span = span();
        span.entry.response_code = status;
        span.entry.blame = blame;
        span.entry.response_flags = Some("UC");
        assert_eq!(span.failed(), failed, "{status} {blame:?}");
        assert_eq!(told(&span, "error.type").as_deref(), kind, "{status} {blame:?}");
    }
}

#[test]
fn no_text_is_longer_than_it_may_be() {
    let mut entry = entry();
    entry.path = Some(format!("/{}", "a".repeat(TEXT_BYTES_MAX)).parse().unwrap());
    entry.authority = Some("\u{fc}".repeat(TEXT_BYTES_MAX));
    entry.user_agent = Some("a".repeat(10_000).parse().unwrap());
    entry.method = Some("B".repeat(1000).parse().unwrap());
    let span = span_of(entry);
    assert!(span.entry.authority.as_ref().unwrap().len() <= TEXT_BYTES_MAX);
    assert_eq!(told(&span, "http.request.method_original"), None);
    assert!(told(&span, "url.path").unwrap().len() <= TEXT_BYTES_MAX);
    assert_eq!(told(&span, "user_agent.original").unwrap().len(), TEXT_BYTES_MAX);
}
