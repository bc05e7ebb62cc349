use super::{Meetings, uri};
use crate::lab::Metrics;

/// Two answers to web and one to nobody.
fn page() -> String {
    let web = "source_principal=\"spiffe://cluster.local/ns/shop/sa/web\"";
    let reviews = "destination_principal=\"spiffe://cluster.local/ns/shop/sa/reviews\"";
    let guarded = format!("{web},{reviews},connection_security_policy=\"mutual_tls\"");
    format!(
        "istio_requests_total{{{guarded},response_code=\"200\"}} 2\n\
         istio_requests_total{{{guarded},response_code=\"503\"}} 1\n\
         istio_requests_total{{{web},{reviews},connection_security_policy=\"none\"}} 0\n"
    )
}

#[test]
fn meetings_are_added_up_and_none_is_made_up() {
    let mut meetings = Meetings::default();
    meetings.add("waypoint", &Metrics::parse(&page()));
    assert!(meetings.has("ns/shop/sa/web", "ns/shop/sa/reviews", "mutual_tls"));
    assert!(!meetings.has("ns/shop/sa/web", "ns/shop/sa/reviews", "none"));
    let table = meetings.table();
    assert_eq!(table.lines().count(), 2, "{table}");
    assert!(table.ends_with('3'), "{table}");
}

#[test]
fn the_client_is_found_among_what_a_server_is_told() {
    assert_eq!(uri("By=a;Hash=b;URI=spiffe://x/y"), "spiffe://x/y");
    assert_eq!(uri("By=a"), "");
}
