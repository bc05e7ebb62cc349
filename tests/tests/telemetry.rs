//! What an operator can see: metrics, the access log, the admin socket, the analysis of manifests.

use anyhow::Context;
use serde_json::Value;
use waypoint_tests::{
    lab::{Object, Pod, Service},
    shop::Protocol,
    story,
    story::shop_behind_waypoint,
};

story!(metrics_carry_the_names_and_labels_of_istio, |lab| {
    let lab = shop_behind_waypoint(lab)
        .pod(Pod::server("shop", "reviews-v1", "reviews").label("version", "v1"))
        .pod(Pod::new("shop", "echo-0").label("app", "echo").serves(Protocol::Echo, 7007))
        .service(Service::new("shop", "echo").port("tcp-echo", 7, 7007))
        .start()?;
    lab.through_waypoint(&lab.from("web").to("reviews").method("POST").body(b"stars"))?;
    lab.opaque_through_waypoint(&lab.from("web").to("echo"), |_| Ok(()))?;
    let metrics = lab.agent()?.metrics()?;
    let http = [("request_protocol", "http"), ("response_code", "200")];
    for family in HTTP_FAMILIES {
        let labels = [&COMMON[..], &REVIEWS, &http].concat();
        assert!(metrics.sum(family, &labels) > 0.0, "{family}{labels:?}");
    }
    for family in TCP_FAMILIES {
        let labels = [&COMMON[..], &[("destination_service_name", "echo")]].concat();
        assert!(metrics.has(family, &labels), "{family}{labels:?}");
    }
    Ok(())
});

story!(the_access_log_has_the_fields_of_istio, |lab| {
    let lab = shop_behind_waypoint(lab).start()?;
    let call = lab.from("web").to("reviews").path("/a?b=c").header("user-agent", "a browser");
    let visit = lab.through_waypoint(&call)?;
    let fields = visit.line.as_object().context("the line is an object")?;
    for field in LOG_FIELDS {
        assert!(fields.contains_key(*field), "no {field} in {}", visit.line);
    }
    let (client, endpoint) = (lab.pod_address("web")?.ip(), lab.pod_address("reviews-v1")?);
    assert_eq!(visit.logged("method"), "GET");
    assert_eq!(visit.logged("path"), "/a?b=c");
    assert_eq!(visit.logged("protocol"), "HTTP/1.1");
    assert_eq!(visit.logged("authority"), "reviews");
    assert_eq!(visit.logged("user_agent"), "a browser");
    assert_eq!(visit.logged("response_flags"), "-");
    assert_eq!(visit.logged("upstream_host"), endpoint.to_string());
    assert_eq!(
        visit.logged("downstream_local_address"),
        lab.service_address("reviews")?.to_string()
    );
    assert_eq!(visit.logged("x_forwarded_for"), client.to_string());
    assert_eq!(visit.logged("bytes_sent"), visit.reply.body.len().to_string());
    Ok(())
});

story!(the_log_level_changes_while_it_runs, |lab| {
    let mut lab = shop_behind_waypoint(lab).start()?;
    assert!(!lab.agent()?.log()?.contains("DEBUG"));
    let changed = lab.agent()?.command("POST", "/logging?level=debug")?;
    assert_eq!(changed.status, 200, "{}", changed.text());
    lab.label("Service", "reviews", "colour", "red")?;
    assert!(lab.agent()?.log()?.contains("DEBUG"), "{}", lab.agent()?.log()?);
    assert_eq!(lab.agent()?.command("POST", "/logging?level=[")?.status, 400);
    Ok(())
});

story!(the_configuration_in_force_can_be_dumped, |lab| {
    let lab = shop_behind_waypoint(lab).start()?;
    let dump = lab.agent()?.ask("/config_dump")?;
    assert_eq!(dump.status, 200);
    let text = dump.json()?.to_string();
    for name in ["shop/reviews", "shop/waypoint", "shop/web", "10.96.77.1", "fd96::4d01"] {
        assert!(text.contains(name), "no {name} in {text}");
    }
    Ok(())
});

story!(good_manifests_are_accepted_without_a_word, |lab| {
    let lab = shop_behind_waypoint(lab).start()?;
    let report = lab.analyze_as_json()?;
    let findings = report.get("findings").and_then(Value::as_array).context("no findings")?;
    assert!(findings.is_empty(), "{report:#}");
    assert!(!lab.agent()?.log()?.contains("WARN"), "{}", lab.agent()?.log()?);
    Ok(())
});

/// What every family says of this lab's calls.
const COMMON: [(&str, &str); 8] = [
    ("reporter", "waypoint"),
    ("source_workload", "web"),
    ("source_workload_namespace", "shop"),
    ("source_principal", "spiffe://cluster.local/ns/shop/sa/web"),
    ("source_canonical_service", "web"),
    ("source_canonical_revision", "latest"),
    ("destination_service_namespace", "shop"),
    ("destination_workload_namespace", "shop"),
];

/// What the families of requests say of the server.
const REVIEWS: [(&str, &str); 8] = [
    ("destination_service", "reviews.shop.svc.cluster.local"),
    ("destination_service_name", "reviews"),
    ("destination_workload", "reviews-v1"),
    ("destination_app", "reviews"),
    ("destination_version", "v1"),
    ("destination_canonical_service", "reviews"),
    ("destination_canonical_revision", "v1"),
    ("response_flags", "-"),
];

const HTTP_FAMILIES: [&str; 10] = [
    "istio_requests_total",
    "istio_request_duration_milliseconds_bucket",
    "istio_request_duration_milliseconds_count",
    "istio_request_duration_milliseconds_sum",
    "istio_request_bytes_bucket",
    "istio_request_bytes_count",
    "istio_request_bytes_sum",
    "istio_response_bytes_bucket",
    "istio_response_bytes_count",
    "istio_response_bytes_sum",
];

const TCP_FAMILIES: [&str; 4] = [
    "istio_tcp_connections_opened_total",
    "istio_tcp_connections_closed_total",
    "istio_tcp_sent_bytes_total",
    "istio_tcp_received_bytes_total",
];

const LOG_FIELDS: &[&str] = &[
    "start_time",
    "route_name",
    "method",
    "path",
    "protocol",
    "response_code",
    "response_flags",
    "response_code_details",
    "connection_termination_details",
    "bytes_received",
    "bytes_sent",
    "duration",
    "upstream_service_time",
    "x_forwarded_for",
    "user_agent",
    "request_id",
    "authority",
    "upstream_host",
    "upstream_cluster",
    "upstream_local_address",
    "downstream_local_address",
    "downstream_remote_address",
    "requested_server_name",
    "upstream_transport_failure_reason",
];
