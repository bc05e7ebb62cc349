//! Traces of requests: what endpoints and a collector are told.

use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::{common::v1::any_value::Value, trace::v1::Span};

use super::lab::{Backend, Lab};
use crate::{
    mesh::service::AppProtocol,
    telemetry::{
        metrics::Registry,
        task,
        traces::{
            Protocol, Tracing,
            tests::{
                collector::{Collector, serve},
                listener, start,
            },
        },
    },
};

/// A collector, and tracing that sends spans there.
async fn collected(rate: &str) -> (Collector, Tracing) {
    let (listener, address) = listener().await;
    let collector = Collector::default();
    serve(&collector, Protocol::Grpc, listener);
    let tracing = start(address, Protocol::Grpc, rate, &Registry::new());
    (collector, tracing)
}

/// An attribute as text; empty if there is none.
fn told(span: &Span, key: &str) -> String {
    let found = span.attributes.iter().find(|attribute| attribute.key == key);
    match found.and_then(|attribute| attribute.value.clone()?.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        _ => String::new(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// The value of a field in what an endpoint sent back.
fn got<'a>(answer: &'a str, field: &str) -> &'a str {
    let mut lines = answer.lines().rev().filter_map(|line| line.split_once(": "));
    lines.find(|(name, _)| *name == field).map(|(_, value)| value).unwrap_or_default()
}

/// The span of a caller, as B3 writes it.
const CALLER: &str = "e457b5a2e4d86bd1";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[tokio::test]
async fn a_request_is_a_span_between_its_callers_and_its_endpoints() {
    let (collector, tracing) = collected("0").await;
    let backend = Backend::bind().await;
    let lab = Lab::start_traced(&[backend.address()], AppProtocol::Http, &tracing);
    backend.echo("one");
    let answer = lab
        .ask(&format!(
            "GET /cart?token=secret HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\
             user-agent: a browser\r\ntraceparent: {PARENT}\r\ntracestate: a=1\r\n\r\n"
        ))
        .await;
    let span = collector.spans(1).await.remove(0);
    let id = hex(&span.span_id);
    assert_eq!(hex(&span.trace_id), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(hex(&span.parent_span_id), "00f067aa0ba902b7");
    let expected = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{id}-01");
    assert_eq!(got(&answer, "traceparent"), expected, "{answer}");
    assert_eq!(got(&answer, "tracestate"), "a=1", "{answer}");
    assert_eq!(span.name, "GET shop.default.svc.cluster.local");
    let line = lab.line(1).await;
    for (key, value) in [
        ("http.request.method", "GET"),
        ("http.response.status_code", "200"),
        ("url.path", "/cart"),
        ("server.address", "shop"),
        ("user_agent.original", "a browser"),
        ("response_flags", "-"),
        ("istio.canonical_service", "waypoint"),
        ("istio.source_workload", "web"),
        ("istio.source_principal", "spiffe://cluster.local/ns/default/sa/web"),
        ("istio.destination_workload", "shop-0"),
        ("istio.destination_service_name", "shop"),
        ("waypoint.route", "default"),
    ] {
        assert_eq!(told(&span, key), value, "{key} of {span:#?}");
    }
    assert_eq!(told(&span, "guid:x-request-id"), line["request_id"].as_str().unwrap());
    assert_eq!(told(&span, "upstream_address"), line["upstream_host"].as_str().unwrap());
}

#[tokio::test]
async fn a_trace_of_b3_in_fields_of_their_own_is_continued_in_them() {
    let long = "80f198ee56343ba864fe8b2a57d3eff7";
    for (trace, state) in [(long, "sampled"), (&long[16..], "sampled"), (long, "flags")] {
        let (collector, tracing) = collected("0").await;
        let backend = Backend::bind().await;
        let lab = Lab::start_traced(&[backend.address()], AppProtocol::Http, &tracing);
        backend.echo("one");
        let answer = lab
            .ask(&format!(
                "GET / HTTP/1.1\r\nhost: shop\r\nconnection: close\r\nX-B3-TraceId: {trace}\r\n\
                 X-B3-SpanId: e457b5a2e4d86bd1\r\nX-B3-ParentSpanId: 05e3ac9a4f6e3b90\r\n\
                 x-b3-{state}: 1\r\n\r\n"
            ))
            .await;
        let span = collector.spans(1).await.remove(0);
        let (wide, id) = (format!("{trace:0>32}"), hex(&span.span_id));
        assert_eq!((hex(&span.trace_id), hex(&span.parent_span_id)), (wide.clone(), CALLER.into()));
        for (field, value) in [
            ("x-b3-traceid", trace),
            ("x-b3-spanid", &id),
            ("x-b3-parentspanid", CALLER),
            (&format!("x-b3-{state}"), "1"),
            ("traceparent", &format!("00-{wide}-{id}-01")),
            ("b3", ""),
        ] {
            assert_eq!(got(&answer, field), value, "{field}: {answer}");
        }
        assert_eq!(answer.matches("x-b3-").count(), 4, "{answer}");
    }
}

#[tokio::test]
async fn a_trace_that_b3_says_is_not_kept_is_passed_on_and_not_told() {
    let (collector, tracing) = collected("100").await;
    let backend = Backend::bind().await;
    let lab = Lab::start_traced(&[backend.address()], AppProtocol::Http, &tracing);
    backend.echo("one");
    let trace = "80f198ee56343ba864fe8b2a57d3eff7";
    let answer = lab
        .ask(&format!(
            "GET / HTTP/1.1\r\nhost: shop\r\nconnection: close\r\nx-b3-traceid: {trace}\r\n\
             x-b3-spanid: {CALLER}\r\nx-b3-sampled: 0\r\n\r\n"
        ))
        .await;
    assert_eq!((got(&answer, "x-b3-traceid"), got(&answer, "x-b3-sampled")), (trace, "0"));
    assert_eq!(got(&answer, "x-b3-parentspanid"), CALLER, "{answer}");
    assert!(got(&answer, "traceparent").ends_with("-00"), "{answer}");
    assert!(tracing.close(super::lab::PATIENCE).await);
    assert!(collector.spans(0).await.is_empty());
}

#[tokio::test]
async fn a_request_without_a_trace_begins_one_where_the_dice_say_so() {
    let (collector, tracing) = collected("100").await;
    let backend = Backend::bind().await;
    let lab = Lab::start_traced(&[backend.address()], AppProtocol::Http, &tracing);
    backend.echo("one");
    let answer =
        lab.ask("GET / HTTP/1.1\r\nhost: shop\r\nb3: 1\r\nconnection: close\r\n\r\n").await;
    let span = collector.spans(1).await.remove(0);
    let (trace, id) = (hex(&span.trace_id), hex(&span.span_id));
    assert!(span.parent_span_id.is_empty(), "{span:#?}");
    assert_eq!(got(&answer, "traceparent"), format!("00-{trace}-{id}-01"), "{answer}");
    assert_eq!(got(&answer, "b3"), format!("{trace}-{id}-1"), "{answer}");

    let (collector, tracing) = collected("0").await;
    let backend = Backend::bind().await;
    let lab = Lab::start_traced(&[backend.address()], AppProtocol::Http, &tracing);
    backend.echo("two");
    let answer = lab.ask("GET / HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n").await;
    assert!(got(&answer, "traceparent").ends_with("-00"), "{answer}");
    assert!(tracing.close(super::lab::PATIENCE).await);
    assert!(collector.spans(0).await.is_empty());
}

#[tokio::test]
async fn where_nobody_traces_fields_pass_untouched() {
    let backend = Backend::bind().await;
    let lab = Lab::start(&[backend.address()], AppProtocol::Http);
    backend.echo("one");
    let fields = format!("traceparent: {PARENT}\r\nb3: nonsense\r\ntracestate: A\r\n");
    let request = format!("GET / HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n{fields}\r\n");
    let answer = lab.ask(&request).await;
    let all = [("traceparent", PARENT), ("b3", "nonsense"), ("tracestate", "A")];
    for (field, value) in all {
        assert_eq!(got(&answer, field), value, "{answer}");
    }
}

#[tokio::test]
async fn a_request_that_finds_no_endpoint_is_a_span_that_failed() {
    let (collector, tracing) = collected("100").await;
    let lab = Lab::start_traced(&[], AppProtocol::Http, &tracing);
    let answer = lab.ask("GET / HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    let span = collector.spans(1).await.remove(0);
    assert_eq!(told(&span, "http.response.status_code"), "503");
    assert_eq!(told(&span, "response_flags"), "UH");
    assert_eq!(told(&span, "error.type"), "503");
    assert_eq!(span.status.unwrap().code, 2);
}

#[tokio::test]
async fn a_call_of_grpc_tells_its_service_its_method_and_its_status() {
    let (collector, tracing) = collected("0").await;
    let backend = Backend::bind().await;
    let lab = Lab::start_traced(&[backend.address()], AppProtocol::Http2, &tracing);
    super::http2::serve(backend);
    let stream = TokioIo::new(lab.connect().await);
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    task::spawn("client", connection);
    let b3 = "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1";
    let request = Request::post(format!("http://{}/shop.Reviews/List", lab.address))
        .header("content-type", "application/grpc")
        .header("b3", b3)
        .body(Full::new(hyper::body::Bytes::new()))
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    response.into_body().collect().await.unwrap();
    let span = collector.spans(1).await.remove(0);
    assert_eq!(span.name, "shop.Reviews/List");
    assert_eq!(hex(&span.trace_id), "80f198ee56343ba864fe8b2a57d3eff7");
    assert_eq!(hex(&span.parent_span_id), "e457b5a2e4d86bd1");
    for (key, value) in [
        ("rpc.service", "shop.Reviews"),
        ("rpc.method", "List"),
        ("rpc.grpc.status_code", "5"),
        ("network.protocol.version", "2"),
    ] {
        assert_eq!(told(&span, key), value, "{key} of {span:#?}");
    }
}

#[tokio::test]
async fn a_request_of_a_collector_that_is_away_is_answered() {
    let (listener, address) = listener().await;
    drop(listener);
    let registry = Registry::new();
    let tracing = start(address, Protocol::Http, "100", &registry);
    let backend = Backend::bind().await;
    let lab = Lab::start_traced(&[backend.address()], AppProtocol::Http, &tracing);
    backend.echo("one");
    for _ in 0..100 {
        let answer = lab.ask("GET / HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}
