//! Spans on their way to collectors: real ones, by both protocols.

use std::{net::SocketAddr, sync::atomic::Ordering, time::SystemTime};

use http::HeaderMap;
use tokio::{net::TcpListener, time::Instant};

use crate::telemetry::{access::Entry, metrics::traffic::ServiceLabels};

use self::collector::{Collector, serve};
use super::*;

pub(crate) mod collector;
mod tls;

const PATIENCE: Duration = Duration::from_secs(20);

/// A port for a collector.
pub(crate) async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Tracing that sends spans there.
pub(crate) fn start(
    address: SocketAddr,
    protocol: Protocol,
    rate: &str,
    registry: &Registry,
) -> Tracing {
    let settings = Settings {
        endpoint: format!("http://{address}").parse().unwrap(),
        protocol,
        roots: None,
        rate: rate.parse().unwrap(),
        service: None,
    };
    Tracing::start(&settings, Whose::default(), registry).unwrap()
}

/// A request, from its begin to its end.
fn ask(tracing: &Tracing, number: u128) {
    let (client, dialled) = ("10.0.0.1:5".parse().unwrap(), "10.9.0.1:80".parse().unwrap());
    let Some(context) = tracing.begin(&mut HeaderMap::new(), || number) else { return };
    let entry = Entry::new(SystemTime::now(), client, dialled);
    tracing.end(Span::new(*context, entry, ServiceLabels::default(), (false, None)));
}

/// Waits until a line of the metrics is there.
async fn wait_for(registry: &Registry, line: &str) {
    let until = Instant::now() + PATIENCE;
    while !registry.encode().lines().any(|one| one == line) {
        assert!(Instant::now() < until, "no {line} in {}", registry.encode());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn spans_arrive_by_both_protocols() {
    for protocol in [Protocol::Grpc, Protocol::Http] {
        let (listener, address) = listener().await;
        let (collector, registry) = (Collector::default(), Registry::new());
        serve(&collector, protocol, listener);
        let tracing = start(address, protocol, "100", &registry);
        (1..=1000).for_each(|number| ask(&tracing, number));
        wait_for(&registry, "waypoint_trace_spans_total{result=\"delivered\"} 1000").await;
        assert!(collector.traces().into_iter().eq(1..=1000), "{protocol:?}");
    }
}

#[tokio::test]
async fn a_collector_that_refuses_for_a_while_loses_nothing() {
    for protocol in [Protocol::Grpc, Protocol::Http] {
        let (listener, address) = listener().await;
        let (collector, registry) = (Collector::default(), Registry::new());
        collector.refusals.store(2, Ordering::SeqCst);
        serve(&collector, protocol, listener);
        let tracing = start(address, protocol, "100", &registry);
        ask(&tracing, 7);
        wait_for(&registry, "waypoint_trace_spans_total{result=\"delivered\"} 1").await;
        assert_eq!(collector.traces(), [7], "{protocol:?}");
    }
}

#[tokio::test]
async fn a_collector_that_is_away_costs_spans_and_nothing_else() {
    for protocol in [Protocol::Grpc, Protocol::Http] {
        let (listener, address) = listener().await;
        drop(listener);
        let (collector, registry) = (Collector::default(), Registry::new());
        let tracing = start(address, protocol, "100", &registry);
        ask(&tracing, 7);
        wait_for(&registry, "waypoint_trace_spans_total{result=\"lost\"} 1").await;
        serve(&collector, protocol, TcpListener::bind(address).await.unwrap());
        let until = Instant::now() + PATIENCE;
        while collector.traces().is_empty() {
            assert!(Instant::now() < until, "{protocol:?}");
            ask(&tracing, 8);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test]
async fn a_full_queue_drops_and_counts() {
    let (listener, address) = listener().await;
    let registry = Registry::new();
    let tracing = start(address, Protocol::Http, "100", &registry);
    // The task that empties the queue has no turn before the first await.
    let beyond = 10;
    (1..=QUEUE_SPANS_MAX as u128 + beyond).for_each(|number| ask(&tracing, number));
    let hits = format!("waypoint_limit_hits_total{{limit=\"trace_queue\"}} {beyond}");
    assert!(registry.encode().contains(&hits), "{}", registry.encode());
    drop(listener);
}

#[tokio::test]
async fn what_is_queued_is_sent_before_the_end() {
    let (listener, address) = listener().await;
    let (collector, registry) = (Collector::default(), Registry::new());
    serve(&collector, Protocol::Grpc, listener);
    let tracing = start(address, Protocol::Grpc, "100", &registry);
    (1..=700).for_each(|number| ask(&tracing, number));
    assert!(tracing.close(PATIENCE).await);
    assert_eq!(collector.traces().len(), 700);
    ask(&tracing, 701);
    assert!(registry.encode().contains("limit=\"trace_queue\"} 1\n"), "{}", registry.encode());
}

#[tokio::test]
async fn the_end_waits_for_a_silent_collector_no_longer_than_it_is_told() {
    let (_silent, address) = listener().await;
    let tracing = start(address, Protocol::Http, "100", &Registry::new());
    ask(&tracing, 7);
    assert!(!tracing.close(Duration::from_millis(100)).await);
}

#[tokio::test]
async fn nothing_is_sent_of_what_is_not_sampled_and_nothing_done_when_off() {
    let (listener, address) = listener().await;
    let (collector, registry) = (Collector::default(), Registry::new());
    serve(&collector, Protocol::Grpc, listener);
    let tracing = start(address, Protocol::Grpc, "0", &registry);
    (1..=100).for_each(|number| ask(&tracing, number));
    let mut headers = HeaderMap::new();
    assert!(tracing.begin(&mut headers, || 7).is_none());
    assert!(headers.contains_key("traceparent"));
    assert!(tracing.close(PATIENCE).await);
    assert!(collector.traces().is_empty());
    let mut headers = HeaderMap::from_iter([("tracestate".parse().unwrap(), "a".parse().unwrap())]);
    let before = headers.clone();
    assert!(Tracing::default().begin(&mut headers, || panic!("nothing is drawn")).is_none());
    assert_eq!(headers, before);
}

#[test]
fn a_collector_is_named_by_a_url() {
    for (text, host, port, path) in [
        ("http://collector:4317", "collector", 4317, "/v1/traces"),
        ("http://[::1]:4318/", "::1", 4318, "/v1/traces"),
        ("http://10.0.0.1/base/", "10.0.0.1", 80, "/base/v1/traces"),
        ("http://c:1/v1/traces", "c", 1, "/v1/traces"),
        ("https://collector:4317", "collector", 4317, "/v1/traces"),
        ("https://c/base", "c", 443, "/base/v1/traces"),
    ] {
        let endpoint: Endpoint = text.parse().unwrap();
        let read = (endpoint.host.as_str(), endpoint.port(), endpoint.path());
        assert_eq!((read.0, read.1, read.2.as_str()), (host, port, path), "{text}");
    }
    for bad in ["", "collector:4317", "/path", "grpc://c:4317", "http://", "http://:80"] {
        assert!(bad.parse::<Endpoint>().is_err(), "{bad}");
    }
}
