//! Opaque TCP.

use std::time::Duration;

use tokio::io::AsyncWriteExt;

use super::lab::{
    Backend, LOCALHOST, Lab, Nobody, add_policy, add_workload, read_to_end, read_until,
};
use crate::mesh::{
    binding::Binding,
    object::ObjectName,
    pattern::StringMatch,
    policy::{Action, AnyNone, AuthorizationPolicy, PolicyRule, PolicyTarget, Source},
    service::AppProtocol,
    snapshot::Contents,
};

/// Denies everything to the pod `web`.
pub(super) fn deny_web(contents: &mut Contents) {
    let web = vec![StringMatch::parse("cluster.local/ns/default/sa/web")];
    let principals = AnyNone { any: web, none: Vec::new() };
    let from = vec![Source { principals, ..Source::default() }];
    add_policy(
        contents,
        AuthorizationPolicy {
            name: ObjectName::new("default", "no-web"),
            action: Action::Deny,
            targets: vec![PolicyTarget::Service(ObjectName::new("default", "shop"))],
            rules: vec![PolicyRule { from, ..PolicyRule::default() }],
            dry_run: false,
        },
    );
}

#[tokio::test]
async fn bytes_go_both_ways_and_each_side_ends_on_its_own() {
    let backend = Backend::bind().await;
    let lab = Lab::start(&[backend.address()], AppProtocol::Tcp);
    let mut client = lab.connect().await;
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    client.shutdown().await.unwrap();
    let mut upstream = backend.accept().await;
    assert_eq!(read_to_end(&mut upstream).await, "GET / HTTP/1.1\r\n\r\n");
    upstream.write_all(b"late answer").await.unwrap();
    read_until(&mut client, "late").await;
    drop(upstream);
    assert_eq!(read_to_end(&mut client).await, " answer");
    let line = lab.line(1).await;
    assert_eq!((&line["bytes_received"], &line["bytes_sent"]), (&18.into(), &11.into()));
    for (field, value) in [
        ("response_flags", "-"),
        ("method", "-"),
        ("protocol", "-"),
        ("source_workload", "default/web"),
        ("destination_workload", "default/shop-0"),
        ("destination_service", "default/shop"),
    ] {
        assert_eq!(line[field], value, "{field} in {line:#}");
    }
    let count = |name| {
        let lab = &lab;
        async move {
            let parts = [name, "destination_workload=\"shop-0\"", "request_protocol=\"tcp\""];
            lab.metric(&parts).await.to_string()
        }
    };
    assert_eq!(count("istio_tcp_connections_opened_total{").await, "1");
    assert_eq!(count("istio_tcp_connections_closed_total{").await, "1");
    assert_eq!(count("istio_tcp_received_bytes_total{").await, "18");
    assert_eq!(count("istio_tcp_sent_bytes_total{").await, "11");
}

#[tokio::test]
async fn a_server_may_speak_first() {
    let backend = Backend::bind().await;
    let lab = Lab::start_with(
        &[backend.address()],
        AppProtocol::Detect,
        |settings| settings.sniff_deadline = Duration::from_millis(20),
        |_, _| {},
    );
    let mut client = lab.connect().await;
    let mut upstream = backend.accept().await;
    upstream.write_all(b"220 ready\r\n").await.unwrap();
    read_until(&mut client, "220 ready\r\n").await;
    // What is opaque stays opaque.
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert_eq!(read_until(&mut upstream, "\r\n\r\n").await, "GET / HTTP/1.1\r\n\r\n");
}

#[tokio::test]
async fn a_reset_of_one_side_resets_the_other() {
    let backend = Backend::bind().await;
    let lab = Lab::start(&[backend.address()], AppProtocol::Tcp);
    for client_resets in [true, false] {
        let mut client = lab.connect().await;
        client.write_all(b"x").await.unwrap();
        let mut upstream = backend.accept().await;
        read_until(&mut upstream, "x").await;
        let (resetting, mut other) =
            if client_resets { (client, upstream) } else { (upstream, client) };
        resetting.set_zero_linger().unwrap();
        drop(resetting);
        let read = tokio::io::AsyncReadExt::read_u8(&mut other).await;
        assert_eq!(read.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    }
    let line = lab.line(2).await;
    assert_eq!(line["response_flags"], "UC");
}

#[tokio::test]
async fn policies_are_asked_at_the_start_and_when_they_change() {
    let backend = Backend::bind().await;
    let mut lab = Lab::start(&[backend.address()], AppProtocol::Tcp);
    let mut client = lab.connect().await;
    client.write_all(b"hello").await.unwrap();
    let mut upstream = backend.accept().await;
    read_until(&mut upstream, "hello").await;
    lab.change(deny_web);
    assert_eq!(read_to_end(&mut client).await, "");
    let details = "rbac_access_denied_matched_policy[ns[default]-policy[no-web]-rule[0]]";
    assert_eq!(lab.line(1).await["connection_termination_details"], details);
    lab.connect_in_vain().await;
    let line = lab.line(2).await;
    assert_eq!(line["connection_termination_details"], details);
    assert_eq!(line["upstream_host"], "-");
}

#[tokio::test]
async fn an_endpoint_that_refuses_resets_the_client_and_is_told() {
    let gone = Nobody::bind();
    let lab = Lab::start(&[gone.address()], AppProtocol::Tcp);
    lab.connect_in_vain().await;
    let line = lab.line(1).await;
    assert_eq!(line["response_flags"], "UF");
    assert_eq!(line["upstream_host"], gone.address().to_string());
    let closed = ["istio_tcp_connections_closed_total{", "response_flags=\"UF\""];
    assert!((lab.metric(&closed).await - 1.0).abs() < f64::EPSILON);
}

/// The engine dials what the client dialled, so pod and engine need different addresses on one
/// port.
#[tokio::test]
async fn a_pod_that_was_dialled_itself_is_its_own_endpoint() {
    let lab = Lab::start_with(
        &[],
        AppProtocol::Detect,
        |settings| settings.connections_max = 1,
        |contents, _| {
            contents.services.clear();
            add_workload(contents, "pod");
            let pod = contents.workloads.get_mut(&ObjectName::new("default", "pod")).unwrap();
            let pod = std::sync::Arc::make_mut(pod);
            pod.addresses = vec![LOCALHOST];
            pod.binding = Binding::Bound(ObjectName::new("default", "waypoint"));
        },
    );
    // The pod's address is the engine's own here, so the second connection finds no place and is
    // reset.
    let answer = lab.ask("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    let line = lab.line(1).await;
    assert_eq!(line["upstream_host"], lab.address.to_string());
    assert_eq!(line["destination_workload"], "default/pod");
    assert_eq!(line["route_name"], "default");
    assert_eq!(line["waypoint"], "default/waypoint");
    let hits = lab.metric(&["waypoint_limit_hits_total{limit=\"connections\"}"]).await;
    assert!((hits - 1.0).abs() < f64::EPSILON);
}
