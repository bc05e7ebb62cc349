use super::*;
use crate::telemetry::metrics::Registry;

fn pair(app: &str) -> Pair {
    Pair {
        reporter: Reporter::Waypoint,
        security: Security::None,
        source: Party { app: app.to_owned(), ..Party::default() },
        destination: Party::default(),
        service: ServiceLabels::default(),
        protocol: Protocol::Http,
    }
}

const OK: Outcome = Outcome { status: 200, grpc: None, flag: NO_FLAG };

#[test]
fn a_scrape_adds_up_what_the_workers_counted() {
    let registry = Registry::new();
    let sample =
        Sample { duration: Duration::from_micros(700), request_bytes: 3, response_bytes: 2_000 };
    for _ in 0..2 {
        registry.shard().meter(pair("web")).request(OK, &sample);
    }
    let text = registry.encode();
    let line = |name: &str| {
        let mut lines = text.lines().filter(|line| line.starts_with(name));
        lines.next().unwrap_or_else(|| panic!("no {name} in {text}")).to_owned()
    };
    let requests = line("istio_requests_total{");
    assert!(requests.ends_with(" 2"), "{requests}");
    for label in [
        "reporter=\"waypoint\"",
        "source_app=\"web\"",
        "destination_canonical_revision=\"unknown\"",
        "response_code=\"200\"",
        "response_flags=\"-\"",
        "request_protocol=\"http\"",
    ] {
        assert!(requests.contains(label), "no {label} in {requests}");
    }
    assert!(line("istio_request_duration_milliseconds_sum").ends_with(" 1.4"));
    assert!(line("istio_response_bytes_sum").ends_with(" 4000"));
    assert!(line("istio_request_bytes_count").ends_with(" 2"));
    let below = text.lines().find(|l| l.starts_with("istio_request_dur") && l.contains("\"0.5\""));
    assert!(below.unwrap().ends_with(" 0"));
    let above = text.lines().find(|l| l.starts_with("istio_request_dur") && l.contains("\"1\""));
    assert!(above.unwrap().ends_with(" 2"));
}

#[test]
fn connections_are_counted_by_how_they_ended() {
    let registry = Registry::new();
    let meter = registry.shard().meter(pair("web"));
    meter.opened();
    meter.sent(10);
    meter.received(20);
    meter.closed("UF");
    meter.failed("DENY");
    let text = registry.encode();
    let has = |name: &str, flag: &str, number: &str| {
        text.lines().any(|line| {
            line.starts_with(name)
                && line.contains(&format!("response_flags=\"{flag}\""))
                && line.ends_with(&format!(" {number}"))
        })
    };
    assert!(has("istio_tcp_connections_opened_total", "-", "1"), "{text}");
    assert!(has("istio_tcp_connections_closed_total", "UF", "1"), "{text}");
    assert!(has("istio_tcp_connections_failed_total", "DENY", "1"), "{text}");
    assert!(has("istio_tcp_sent_bytes_total", "-", "10"), "{text}");
    assert!(has("istio_tcp_received_bytes_total", "-", "20"), "{text}");
}

#[test]
fn who_tells_and_what_guards_tell_series_apart() {
    let registry = Registry::new();
    let shard = registry.shard();
    for reporter in [Reporter::Source, Reporter::Destination] {
        shard.meter(Pair { reporter, security: Security::MutualTls, ..pair("web") }).opened();
    }
    let text = registry.encode();
    for reporter in ["source", "destination"] {
        let label = format!("reporter=\"{reporter}\"");
        let line = text.lines().find(|line| line.contains(&label));
        let line = line.unwrap_or_else(|| panic!("no {label} in {text}"));
        assert!(line.contains("connection_security_policy=\"mutual_tls\""), "{line}");
    }
}

#[test]
fn label_sets_beyond_the_limit_share_one_series() {
    let registry = Registry::new();
    let shard = registry.shard();
    for number in 0..LABEL_SETS_MAX + 5 {
        shard.meter(pair(&number.to_string())).request(OK, &Sample::default());
    }
    assert_eq!(lock(&shard.requests).len(), LABEL_SETS_MAX + 1);
    let text = registry.encode();
    let overflow = text.lines().find(|line| {
        line.starts_with("istio_requests_total{") && line.contains("source_app=\"overflow\"")
    });
    assert!(overflow.unwrap().ends_with(" 5"));
    assert!(text.contains("waypoint_limit_hits_total{limit=\"metric_label_sets\"} 5\n"));
}
