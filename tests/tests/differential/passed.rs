//! Rows of what both pass, in other words.

use crate::table::Row;

/// Differences in what clients and the backend get.
pub(crate) const ROWS: &[Row] = &[
    Row {
        cases: &["websocket"],
        shared: &[],
        lines: &[
            "- backend: connection: keep-alive, Upgrade",
            "- client: connection: Upgrade",
            "- client: date: *",
            "+ backend: connection: upgrade",
            "+ client: connection: upgrade",
            "+ client: x-envoy-upstream-service-time: *",
        ],
        why: "what is for one hop is made anew, and an endpoint's answer is given no date",
    },
    Row {
        cases: &["websocket refused"],
        shared: &[],
        lines: &[
            "- client: body length: \"\"",
            "- client: connection: close",
            "- client: content-length: 0",
            "+ client: body length: \"ok\"",
            "+ client: content-length: 2",
            "+ client: x-envoy-upstream-service-time: *",
        ],
        why: "an endpoint that does not change the protocol has answered, and so has its body",
    },
    Row {
        cases: &["expects leave and gets none"],
        shared: &[],
        lines: &["+ client: x-envoy-upstream-service-time: *"],
        why: "an answer of the endpoint like others",
    },
    Row {
        cases: &["expects something else"],
        shared: &[],
        lines: &["- backend: expect: tea"],
        why: "for one hop; nothing but leave for a body can be expected (RFC 9110 section 10.1.1)",
    },
    Row {
        cases: &["h2 expects leave"],
        shared: &[],
        lines: &["- backend: expect: 100-continue"],
        why: "the codec of HTTP/2 cannot tell a client to go on, so nobody is asked for leave",
    },
    Row {
        cases: &["forged by a client"],
        shared: &[],
        lines: &[
            "- backend: x-forwarded-for: 1.2.3.4",
            "- backend: x-waypoint-a: 1",
            "+ backend: x-forwarded-for: 1.2.3.4,CLIENT",
        ],
        why: "the address is told as proxies tell it, and names of ours are nobody else's",
    },
    Row {
        cases: &["answer for one hop", "h2 answer for one hop"],
        shared: &[],
        lines: &["- client: x-hop: 1"],
        why: "what `Connection` names is for one hop (RFC 9110 section 7.6.1), in answers too",
    },
    Row {
        cases: &["answer's own words"],
        shared: &[],
        lines: &[
            "- client: HTTP/1.1 299 Unknown",
            "+ client: HTTP/1.1 299 ",
            "+ client: server: a",
            "+ client: server: b",
        ],
        why: "who serves is the endpoint's to say; words beside a status mean nothing",
    },
    Row {
        cases: &["status of no class"],
        shared: &[],
        lines: &["- client: HTTP/1.1 700 Unknown", "+ client: HTTP/1.1 700 "],
        why: "words beside a status mean nothing",
    },
    Row {
        cases: &["hints"],
        shared: &[],
        lines: &["- client: HTTP/1.1 103 Unknown", "+ client: HTTP/1.1 103 Early Hints"],
        why: "words beside a status mean nothing",
    },
    Row {
        cases: &["processing"],
        shared: &[],
        lines: &["- client: HTTP/1.1 102 Unknown", "+ client: HTTP/1.1 102 Processing"],
        why: "words beside a status mean nothing",
    },
    Row {
        cases: &["h2 answer in chunks"],
        shared: &[],
        lines: &["+ client: trailer x-sum: 1"],
        why: "trailers pass wherever they can be sent; Envoy drops those of HTTP/1",
    },
    Row {
        cases: &["h2 trailers", "trailers"],
        shared: &[],
        lines: &["+ backend: trailer x-sum: 1"],
        why: "trailers pass; Envoy drops those of HTTP/1",
    },
    Row {
        cases: &["h2 options"],
        shared: &[],
        lines: &[
            "- backend: body length: \"\"",
            "- backend: content-length: 0",
            "+ backend: body none: \"\"",
        ],
        why: "no body is no body; a length of zero says the same",
    },
    Row {
        cases: &["h2 te", "te"],
        shared: &[],
        lines: &["+ backend: connection: te"],
        why: "`TE` is for one hop, so `Connection` has to name it (RFC 9110 section 10.1.4)",
    },
    Row {
        cases: &["head of chunks"],
        shared: &[],
        lines: &["- client: transfer-encoding: chunked"],
        why: "nothing is framed, so nothing says how",
    },
    Row {
        cases: &["version 1.0"],
        shared: &[],
        lines: &["- client: connection: close"],
        why: "said by the version itself",
    },
];
