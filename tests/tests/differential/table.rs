//! How Envoy and we differ, and why. Lines that only Envoy shows begin with `-`, ours with `+`.

use std::collections::BTreeMap;

use crate::{passed, refused};

/// Differences of some cases.
pub(crate) struct Row {
    pub(crate) cases: &'static [&'static str],
    /// Lines that come together in several rows.
    pub(crate) shared: &'static [&'static str],
    pub(crate) lines: &'static [&'static str],
    pub(crate) why: &'static str,
}

/// Differences that any case may show.
const ANYWHERE: &[(&[&str], &str)] = &[
    (
        &[
            "- client: server: istio-envoy",
            "- client: next: server: istio-envoy",
            "+ client: server: waypoint",
        ],
        "who serves is the endpoint's to say, and only what we answer ourselves is ours",
    ),
    (
        &[
            "+ backend: x-forwarded-client-cert: URI=spiffe://cluster.local/ns/shop/sa/web",
            "+ backend, next: x-forwarded-client-cert: URI=spiffe://cluster.local/ns/shop/sa/web",
        ],
        "endpoints learn who asks, which Istio's waypoints do not tell them",
    ),
    (
        &["+ backend: x-forwarded-for: CLIENT", "+ backend, next: x-forwarded-for: CLIENT"],
        "endpoints learn from where, which Istio's waypoints do not tell them",
    ),
    (
        &[
            "- client: body length: \"Bad Request\"",
            "- client: content-length: 11",
            "- client: content-type: text/plain",
            "+ client: body length: \"\"",
            "+ client: content-length: 0",
        ],
        "what is no request is refused by a status alone",
    ),
];

/// What is to be seen where Envoy passes a request that we refuse.
pub(crate) const ONLY_ENVOY_PASSES: &[&str] = &[
    "- backend: x-forwarded-proto: http",
    "- backend: x-request-id: *",
    "- client: body length: \"ok\"",
    "- client: content-length: 2",
    "- client: x-envoy-upstream-service-time: *",
    "+ client: HTTP/1.1 400 Bad Request",
];

/// What is to be seen where we pass a request that Envoy refuses.
pub(crate) const ONLY_WE_PASS: &[&str] = &[
    "+ backend: body none: \"\"",
    "+ backend: x-forwarded-proto: http",
    "+ backend: x-request-id: *",
    "+ client: body length: \"ok\"",
    "+ client: content-length: 2",
    "+ client: x-envoy-upstream-service-time: *",
];

impl Row {
    fn all(&self) -> impl Iterator<Item = &'static str> {
        self.shared.iter().chain(self.lines).copied()
    }
}

/// What was found and is in no row, and rows that nothing was found for.
pub(crate) fn complaints(found: &BTreeMap<&str, Vec<String>>) -> Vec<String> {
    let mut complaints = Vec::new();
    for (case, lines) in found {
        let unknown = lines.iter().filter(|line| !is_known(case, line));
        complaints.extend(unknown.map(|line| format!("{case}: in no row: {line}")));
    }
    for row in rows() {
        for (case, line) in
            row.cases.iter().flat_map(|case| row.all().map(move |line| (case, line)))
        {
            if !found.get(case).is_some_and(|shown| shown.iter().any(|one| one == line)) {
                complaints.push(format!("{case}: no longer so: {line} ({})", row.why));
            }
        }
    }
    for (line, why) in
        ANYWHERE.iter().flat_map(|(lines, why)| lines.iter().map(move |line| (line, why)))
    {
        if !found.values().flatten().any(|one| one == line) {
            complaints.push(format!("anywhere: no longer so: {line} ({why})"));
        }
    }
    complaints
}

fn rows() -> impl Iterator<Item = &'static Row> {
    refused::ROWS.iter().chain(passed::ROWS)
}

fn is_known(case: &str, line: &str) -> bool {
    let of_row = |row: &Row| row.cases.contains(&case) && row.all().any(|one| one == line);
    ANYWHERE.iter().any(|(lines, _)| lines.contains(&line)) || rows().any(of_row)
}
