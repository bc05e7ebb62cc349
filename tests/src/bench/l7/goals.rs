//! What is aimed at, and whether it was reached.

use super::{load::Seen, peer::Peer, report::Report, work::Work};

/// A goal: what it is called, what was measured, and at most what.
struct Goal {
    name: &'static str,
    seen: Option<f64>,
    limit: Option<f64>,
}

/// A line for each goal of which both sides were measured.
pub(super) fn told(report: &Report) -> String {
    let goals = goals(report);
    let lines = goals.iter().filter_map(|Goal { name, seen, limit }| {
        let (seen, limit) = (*seen, *limit);
        let verdict = if seen? <= limit? { "reached" } else { "missed" };
        Some(format!("| {name} | {:.1} | {:.1} | {verdict} |\n", seen?, limit?))
    });
    let lines: String = lines.collect();
    if lines.is_empty() {
        return lines;
    }
    format!("| goal | measured | at most | |\n|---|---|---|---|\n{lines}")
}

fn goals(report: &Report) -> Vec<Goal> {
    let cost = |work, peer| report.cost(work, peer).map(|spread| spread.median);
    let ours = |work| cost(work, Peer::Waypoint);
    let part = |work, peer, part: f64| cost(work, peer).map(|cost| cost * part);
    let beside =
        |name, work, peer, times| Goal { name, seen: ours(work), limit: part(work, peer, times) };
    let added = |name, work| Goal {
        name,
        seen: ours(work).zip(ours(Work::Http1)).map(|(with, without)| with - without),
        limit: Some(0.5),
    };
    let at_most = |name, seen, limit| Goal { name, seen, limit: Some(limit) };
    let rss: fn(&mut Seen) -> &mut f64 = |seen| &mut seen.rss_kib;
    let idle_mb = report.median(Work::Idle, Peer::Waypoint, rss).map(|kib| kib / 1024.0);
    let (envoy, haproxy) = (Peer::Envoy, Peer::Haproxy);
    let large = Goal {
        name: "100 MB body, ms: 0.9 x Envoy's",
        seen: ours(Work::Bulk).map(|us| us / 1000.0),
        limit: part(Work::Bulk, envoy, 0.9 / 1000.0),
    };
    vec![
        beside("h1 dressed, µs: HAProxy's", Work::Dressed, haproxy, 1.0),
        beside("h1 dressed, µs: a fifth of Envoy's", Work::Dressed, envoy, 0.2),
        beside("h2 -> h1, µs: 1.5 x HAProxy's", Work::Http2ToHttp1, haproxy, 1.5),
        beside("h2 -> h1, µs: a third of Envoy's", Work::Http2ToHttp1, envoy, 1.0 / 3.0),
        beside("h2 -> h2, µs: 1.5 x HAProxy's", Work::Http2ToHttp2, haproxy, 1.5),
        beside("h2 -> h2, µs: a third of Envoy's", Work::Http2ToHttp2, envoy, 1.0 / 3.0),
        beside("mTLS keep-alive, µs: HAProxy's", Work::MutualTls, haproxy, 1.0),
        added("1 000 path routes add, µs", Work::PathRoutes),
        added("1 000 header routes add, µs", Work::HeaderRoutes),
        added("100 authorization rules add, µs", Work::Rules),
        large,
        at_most("idle connection, KiB", ours(Work::Idle), 6.0),
        at_most("idle mTLS connection, KiB", ours(Work::IdleTls), 14.0),
        at_most("idle RSS, MB", idle_mb, 15.0),
    ]
}
