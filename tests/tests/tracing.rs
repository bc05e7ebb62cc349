//! Traces: what servers and a collector of OpenTelemetry are told of requests.

use std::collections::HashSet;

use anyhow::{Context, Result, ensure};
use waypoint_tests::{
    lab::{Lab, LabBuilder, Netns, WaypointPod, wait},
    otlp::{Collector, Span},
    story,
    story::{mesh, none_fails_under_load, shop_behind_waypoint},
};

story!(a_span_reaches_a_collector_by_grpc, |lab| one_span(lab, "grpc"));

story!(a_span_reaches_a_collector_by_http, |lab| one_span(lab, "http"));

/// A request that belongs to a trace becomes a span of it, which the server is told to follow.
fn one_span(lab: LabBuilder, protocol: &str) -> Result<()> {
    let lab = shop_behind_waypoint(lab).agent_arguments(arguments(protocol, "0")).start()?;
    let collector = collector(&lab, lab.node(), protocol)?;
    let call = lab.from("web").to("reviews").path("/stars?of=all").header("traceparent", PARENT);
    let visit = lab.through_waypoint(&call.header("tracestate", "a=1,b=2"))?;
    let spans = collector.wait_for("url.path", "/stars")?;
    ensure!(spans.len() == 1, "{spans:#?}");
    let span = spans.first().context("a span")?;
    assert_eq!(span.field("trace")?, TRACE);
    assert_eq!(span.field("parent")?, "00f067aa0ba902b7");
    assert_eq!(span.field("service")?, "waypoint");
    assert_eq!(span.field("name")?, "GET reviews.shop.svc.cluster.local");
    // SPAN_KIND_SERVER
    assert_eq!(span.field("kind")?, "2");
    let next = format!("00-{TRACE}-{}-01", span.field("span")?);
    assert_eq!(visit.reply.server_got("traceparent")?, Some(next));
    assert_eq!(visit.reply.server_got("tracestate")?.as_deref(), Some("a=1,b=2"));
    let client = lab.identity_of("web")?.clone();
    for (key, value) in [
        ("http.response.status_code", "200"),
        ("istio.source_workload", "web"),
        ("istio.source_principal", client.as_str()),
        ("istio.destination_workload", "reviews-v1"),
        ("istio.canonical_service", "waypoint"),
        ("istio.namespace", "shop"),
        ("response_flags", "-"),
        ("guid:x-request-id", &*visit.logged("request_id")),
        ("upstream_address", &*visit.logged("upstream_host")),
    ] {
        assert_eq!(span.told(key), value, "{key} of {span:?}");
    }
    Ok(())
}

story!(every_trace_is_kept_where_the_rate_says_so, |lab| {
    let spans = of_untraced_calls(lab, "100")?;
    assert_eq!(spans.len(), CALLS, "{spans:#?}");
    let traces: HashSet<_> = spans.iter().map(|span| span.field("trace")).collect::<Result<_>>()?;
    assert_eq!(traces.len(), CALLS, "{spans:#?}");
    for span in &spans {
        assert_eq!(span.field("parent")?, "");
    }
    Ok(())
});

story!(no_trace_is_kept_where_the_rate_says_so, |lab| {
    let spans = of_untraced_calls(lab, "0")?;
    ensure!(spans.is_empty(), "{spans:#?}");
    Ok(())
});

/// The spans of calls that belong to no trace, when the agent has ended.
fn of_untraced_calls(lab: LabBuilder, rate: &str) -> Result<Vec<Span>> {
    let mut lab = shop_behind_waypoint(lab).agent_arguments(arguments("grpc", rate)).start()?;
    let collector = collector(&lab, lab.node(), "grpc")?;
    for _ in 0..CALLS {
        let visit = lab.through_waypoint(&lab.from("web").to("reviews"))?;
        let parent = visit.reply.server_got("traceparent")?.context("no traceparent")?;
        ensure!(parent.ends_with(if rate == "0" { "-00" } else { "-01" }), "{parent}");
    }
    // What is queued is sent before it ends.
    lab.stop_agent()?;
    collector.spans()
}

story!(a_collector_that_is_away_loses_no_request, |lab| {
    let mut lab = shop_behind_waypoint(lab).agent_arguments(arguments("grpc", "100")).start()?;
    let mut found = None;
    none_fails_under_load(&mut lab, |lab| {
        wait::until_true("spans that are lost", wait::SOON, || {
            let metrics = lab.agent()?.metrics()?;
            Ok(metrics.sum("waypoint_trace_spans_total", &[("result", "lost")]) > 0.0)
        })?;
        let collector = collector(lab, lab.node(), "grpc")?;
        collector.wait_for("response_flags", "-")?;
        found = Some(collector);
        Ok(())
    })?;
    let log = lab.agent()?.log()?;
    assert_eq!(log.matches("spans are not delivered").count(), 1, "{log}");
    assert_eq!(log.matches("spans are delivered again").count(), 1, "{log}");
    Ok(())
});

story!(without_a_collector_nothing_of_a_trace_is_touched, |lab| {
    let lab = shop_behind_waypoint(lab).start()?;
    let call = lab.from("web").to("reviews").header("traceparent", PARENT).header("b3", "x");
    let visit = lab.through_waypoint(&call)?;
    assert_eq!(visit.reply.server_got("traceparent")?.as_deref(), Some(PARENT));
    assert_eq!(visit.reply.server_got("b3")?.as_deref(), Some("x"));
    let visit = lab.through_waypoint(&lab.from("web").to("reviews"))?;
    assert_eq!(visit.reply.server_got("traceparent")?, None);
    Ok(())
});

story!(a_waypoint_in_a_pod_sends_spans_in_its_own_name, |lab| {
    let pod = WaypointPod::of("shop", "waypoint").on_node("n2").arguments(arguments("http", "0"));
    let lab = mesh(lab, "n2").nodes(["n1", "n2"]).pod(pod).start()?;
    let collector = collector(&lab, lab.from("waypoint").netns()?, "http")?;
    let call = lab.from("web").to("reviews").path("/stars");
    let reply = call.header("b3", "80f198ee56343ba8-e457b5a2e4d86bd1-1").send()?;
    ensure!(reply.status == 200, "{}", reply.text());
    let spans = collector.wait_for("url.path", "/stars")?;
    ensure!(spans.len() == 1, "{spans:#?}");
    let span = spans.first().context("a span")?;
    assert_eq!(span.field("service")?, "waypoint.shop");
    assert_eq!(span.field("pod")?, "waypoint");
    assert_eq!(span.field("trace")?, "000000000000000080f198ee56343ba8");
    assert_eq!(span.field("parent")?, "e457b5a2e4d86bd1");
    let id = span.field("span")?;
    let b3 = format!("80f198ee56343ba8-{id}-1-e457b5a2e4d86bd1");
    assert_eq!(reply.server_got("b3")?, Some(b3));
    Ok(())
});

/// The arguments of whoever sends spans to a collector in its own namespace.
fn arguments<'a>(protocol: &'a str, rate: &'a str) -> [&'a str; 6] {
    let endpoint =
        if protocol == "grpc" { "http://127.0.0.1:4317" } else { "http://127.0.0.1:4318" };
    ["--tracing-endpoint", endpoint, "--tracing-protocol", protocol, "--tracing-sampling", rate]
}

/// The collector of that.
fn collector(lab: &Lab, netns: &Netns, protocol: &str) -> Result<Collector> {
    let port = if protocol == "grpc" { 4317 } else { 4318 };
    Collector::start(netns, &lab.name().directory(), protocol, port)
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Enough of them to tell all from some.
const CALLS: usize = 10;
