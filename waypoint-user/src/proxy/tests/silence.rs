//! Clients that connect and say nothing for a while.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::lab::{Backend, Lab, add_policy, read_to_end, read_until};
use crate::mesh::{
    object::ObjectName,
    pattern::StringMatch,
    policy::{Action, AnyNone, AuthorizationPolicy, Operation, PolicyRule, PolicyTarget},
    service::AppProtocol,
    snapshot::Contents,
    traffic_policy::{TrafficPolicy, TrafficTarget},
};

/// Denies `DELETE`; as opaque TCP has no methods, all of it.
fn deny_delete(contents: &mut Contents) {
    let methods = AnyNone { any: vec![StringMatch::parse("DELETE")], none: Vec::new() };
    let to = vec![Operation { methods, ..Operation::default() }];
    add_policy(
        contents,
        AuthorizationPolicy {
            name: ObjectName::new("default", "keep"),
            action: Action::Deny,
            targets: vec![PolicyTarget::Service(ObjectName::new("default", "shop"))],
            rules: vec![PolicyRule { to, ..PolicyRule::default() }],
            dry_run: false,
        },
    );
}

/// A lab whose engine takes every client that has not spoken when it is accepted for a silent one.
fn hasty(backend: &Backend, change: impl FnOnce(&mut Contents)) -> Lab {
    Lab::start_with(
        &[backend.address()],
        AppProtocol::Detect,
        |settings| settings.sniff_deadline = Duration::ZERO,
        |contents, _| change(contents),
    )
}

/// A client that was silent for so long that the engine has dialled for it.
async fn silent(lab: &Lab, backend: &Backend) -> (TcpStream, TcpStream) {
    let client = lab.connect().await;
    (client, backend.accept().await)
}

#[tokio::test]
async fn a_client_that_speaks_late_is_still_asked_what_it_speaks() {
    let backend = Backend::bind().await;
    let lab = hasty(&backend, |_| {});
    let (mut client, mut dialled_early) = silent(&lab, &backend).await;
    client.write_all(b"GET /late HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    assert_eq!(read_to_end(&mut dialled_early).await, "", "nothing of it went here");
    let mut upstream = backend.accept().await;
    assert!(read_until(&mut upstream, "\r\n\r\n").await.starts_with("GET /late HTTP/1.1"));
    upstream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await.unwrap();
    read_until(&mut client, "hi").await;
    let line = lab.line(1).await;
    assert_eq!((&line["path"], &line["response_code"]), (&"/late".into(), &200.into()));
    lab.metric(&["istio_requests_total{"]).await;
    let as_tcp = "istio_tcp_connections_opened_total{";
    assert!(!lab.registry.encode().contains(as_tcp), "metrics know no TCP connection of it");
}

#[tokio::test]
async fn a_client_that_speaks_late_and_no_http_keeps_what_was_dialled() {
    let backend = Backend::bind().await;
    let lab = hasty(&backend, |_| {});
    let (mut client, mut upstream) = silent(&lab, &backend).await;
    client.write_all(b"hello\n").await.unwrap();
    assert_eq!(read_until(&mut upstream, "\n").await, "hello\n");
    upstream.write_all(b"welcome\n").await.unwrap();
    read_until(&mut client, "welcome\n").await;
    drop((client, upstream));
    assert_eq!(lab.line(1).await["bytes_received"], 6);
}

#[tokio::test]
async fn where_opaque_tcp_is_denied_a_late_request_is_judged_by_itself() {
    let backend = Backend::bind().await;
    let lab = hasty(&backend, deny_delete);
    for (method, status) in [("GET", "200"), ("DELETE", "403")] {
        let mut client = lab.connect().await;
        let request = format!("{method} / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        client.write_all(request.as_bytes()).await.unwrap();
        if status == "200" {
            let mut upstream = backend.accept().await;
            read_until(&mut upstream, "\r\n\r\n").await;
            upstream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        }
        let answer = read_until(&mut client, "\r\n\r\n").await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
}

#[tokio::test]
async fn where_opaque_tcp_is_denied_a_client_that_speaks_no_http_is_reset() {
    let backend = Backend::bind().await;
    let lab = hasty(&backend, deny_delete);
    let mut client = lab.connect().await;
    client.write_all(b"hello\n").await.unwrap();
    let line = lab.line(1).await;
    let details = "rbac_access_denied_matched_policy[ns[default]-policy[keep]-rule[0]]";
    assert_eq!(line["connection_termination_details"], details);
}

#[tokio::test]
async fn where_nobody_speaks_the_idle_time_of_a_policy_ends_the_connection() {
    let backend = Backend::bind().await;
    let lab = hasty(&backend, |contents| {
        let name = ObjectName::new("default", "shop");
        let targets = vec![TrafficTarget::Service(name.clone())];
        let mut policy = TrafficPolicy { name, targets, ..TrafficPolicy::default() };
        policy.requests.timeouts.stream_idle = Some(Duration::from_millis(100));
        contents.traffic_policies.insert(policy.name.clone(), Arc::new(policy));
    });
    let (mut client, _dialled) = silent(&lab, &backend).await;
    assert!(client.read_u8().await.is_err(), "it is reset");
    assert_eq!(lab.line(1).await["response_flags"], "SI");
}
