use super::*;

fn observed(pod: &str, service: &str) -> Observed {
    let end = |address: &str| End { address: address.parse().unwrap(), pod: None, service: None };
    let name = |name: &str| Some(ObjectName::new("shop", name));
    Observed {
        time: SystemTime::UNIX_EPOCH,
        stage: Stage::Closed,
        initiated: true,
        source: End { pod: name(pod), ..end("10.1.0.1:40000") },
        destination: End { service: name(service), ..end("10.96.0.1:80") },
        path: Path::Bypass("shop/waypoint".into()),
        duration: Duration::from_millis(3),
        sent: 10,
        received: 20,
        round_trip: Duration::from_micros(50),
        retransmissions: 1,
    }
}

#[test]
fn a_line_says_who_whom_how_long_and_how_much() {
    let line: Value = serde_json::from_str(&observed("web", "reviews").line()).unwrap();
    assert_eq!(line["event"], "closed");
    assert_eq!(line["source"]["pod"], "shop/web");
    assert_eq!(line["destination"]["service"], "shop/reviews");
    assert_eq!(line["path"], "bypass");
    assert_eq!(line["waypoint"], "shop/waypoint");
    assert_eq!(line["duration_us"], 3000);
    assert_eq!((&line["bytes_sent"], &line["bytes_received"]), (&10.into(), &20.into()));
    assert_eq!((&line["rtt_us"], &line["retransmissions"]), (&50.into(), &1.into()));
}

#[test]
fn a_filter_asks_for_all_that_it_names() {
    let cases = [
        ("", true),
        ("namespace=shop", true),
        ("namespace=bank", false),
        ("pod=web", true),
        ("pod=shop/web", true),
        ("pod=shop%2Fweb", true),
        ("pod=bank/web", false),
        ("service=reviews", true),
        ("service=ratings", false),
        ("pod=web&service=ratings", false),
        ("pod=", true),
    ];
    for (query, expected) in cases {
        assert_eq!(Filter::parse(query).matches(&observed("web", "reviews")), expected, "{query}");
    }
}

#[tokio::test]
async fn a_slow_listener_hears_how_much_it_missed() {
    let hub = Hub::new();
    assert!(!hub.is_watched());
    let mut listener = hub.listen(Filter::default());
    assert!(hub.is_watched());
    for _ in 0..MISSED_MAX + 5 {
        hub.tell(observed("web", "reviews"));
    }
    assert_eq!(listener.line().await.unwrap(), "{\"missed\":5}\n");
    assert!(listener.line().await.unwrap().contains("shop/web"));
}
