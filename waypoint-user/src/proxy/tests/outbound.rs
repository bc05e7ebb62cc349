//! A node that carries what its pods open.

use std::{io::ErrorKind, net::SocketAddr, os::unix::net::UnixListener, sync::Arc};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{
    lab::{PATIENCE, read_to_end, read_until},
    node::{
        Instance, NODE, NodeLab, abstract_name, account_of, add_waypoint, address, change_pod,
        change_service, name,
    },
    peers::run,
};
use crate::{
    hbone::{self, Authority, Refusal},
    mesh::{
        binding::FailMode,
        snapshot::CaptureMode,
        waypoint::{Placement, Waypoint},
        workload::{NetnsRef, Transport},
    },
    proxy::Vantage,
    telemetry::task,
};

/// A node, and the only pod of the waypoint before its Service.
async fn with_waypoint() -> (NodeLab, Instance) {
    let (mut instance, listener) = Instance::bind().await;
    let at = instance.address;
    let lab = NodeLab::start_with(|contents| add_waypoint(contents, &[at])).await;
    instance.serve(&lab, listener);
    (lab, instance)
}

#[test]
fn a_waypoint_gets_the_bytes_and_is_told_whose_they_are() {
    run(async {
        let (lab, mut instance) = with_waypoint().await;
        let mut client = lab.connect().await;
        let asked = instance.next().await;
        assert_eq!(asked.identity, account_of("web"));
        assert_eq!(asked.remote.ip(), lab.web);
        let connect = asked.incoming.connect.clone();
        assert_eq!(connect.authority, Authority::Address(lab.vip));
        let forwarded = connect.forwarded.unwrap();
        assert_eq!(forwarded.client, client.local_addr().unwrap());
        assert_eq!(forwarded.host.as_deref(), Some("shop.default.svc.cluster.local"));
        assert_eq!(connect.baggage.namespace.as_deref(), Some("default"));
        assert_eq!(connect.baggage.service.as_deref(), Some("web"));
        assert!(connect.traceparent.unwrap().starts_with("00-"));
        assert_eq!((connect.client, connect.source), (None, None));
        let mut stream = asked.incoming.accept().unwrap();
        client.write_all(b"question").await.unwrap();
        client.shutdown().await.unwrap();
        let mut all = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut all)).await.unwrap().unwrap();
        assert_eq!(all, b"question");
        stream.write_all(b"late answer").await.unwrap();
        stream.shutdown().await.unwrap();
        assert_eq!(read_to_end(&mut client).await, "late answer");
        let line = lab.line(1).await;
        let hbone = SocketAddr::new(instance.address, hbone::PORT);
        for (field, value) in [
            ("message", "connection complete".to_owned()),
            ("direction", "outbound".to_owned()),
            ("src.workload", "web".to_owned()),
            ("src.identity", "spiffe://cluster.local/ns/default/sa/web".to_owned()),
            ("dst.addr", lab.vip.to_string()),
            ("dst.hbone_addr", hbone.to_string()),
            ("dst.service", "shop.default.svc.cluster.local".to_owned()),
            ("dst.workload", "waypoint-0".to_owned()),
            ("dst.identity", "spiffe://cluster.local/ns/default/sa/waypoint".to_owned()),
            ("waypoint", "default/waypoint".to_owned()),
            ("hop", "hbone".to_owned()),
            ("error", "-".to_owned()),
        ] {
            assert_eq!(line[field], value, "{field} in {line:#}");
        }
        assert_eq!((&line["bytes_recv"], &line["bytes_sent"]), (&8.into(), &11.into()));
        counted(&lab.registry.encode());
    });
}

/// Checks what the metrics count of one connection.
fn counted(text: &str) {
    for (metric, number) in [
        ("istio_tcp_connections_opened_total{", "1"),
        ("istio_tcp_connections_closed_total{", "1"),
        ("istio_tcp_received_bytes_total{", "8"),
        ("istio_tcp_sent_bytes_total{", "11"),
    ] {
        let found = text.lines().any(|line| {
            line.starts_with(metric)
                && line.contains("reporter=\"source\"")
                && line.contains("connection_security_policy=\"mutual_tls\"")
                && line.ends_with(&format!(" {number}"))
        });
        assert!(found, "no {metric} {number} in {text}");
    }
}

#[test]
fn a_reset_of_one_side_resets_the_other() {
    run(async {
        let (lab, mut instance) = with_waypoint().await;
        let mut client = lab.connect().await;
        let mut stream = instance.next().await.incoming.accept().unwrap();
        client.write_all(b"x").await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'x');
        client.set_zero_linger().unwrap();
        drop(client);
        assert!(timeout(PATIENCE, stream.read_u8()).await.unwrap().is_err());
        assert_eq!(lab.line(1).await["error"], "connection reset by the client");
        let mut client = lab.connect().await;
        let mut stream = instance.next().await.incoming.accept().unwrap();
        client.write_all(b"x").await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'x');
        stream.reset();
        let read = timeout(PATIENCE, client.read_u8()).await.unwrap();
        assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert_eq!(lab.line(2).await["error"], "connection reset by the destination");
    });
}

#[test]
fn what_a_waypoint_refuses_is_reset_and_told() {
    run(async {
        let (lab, mut instance) = with_waypoint().await;
        let mut client = lab.connect().await;
        instance.next().await.incoming.refuse(Refusal::NotHere);
        let read = timeout(PATIENCE, client.read_u8()).await.unwrap();
        assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset);
        let line = lab.line(1).await;
        assert_eq!(line["error"], "http status: 400");
        assert_eq!(line["message"], "connection failed");
        let text = lab.registry.encode();
        let failed = text.lines().find(|l| l.starts_with("istio_tcp_connections_failed_total{"));
        assert!(failed.unwrap().contains("response_flags=\"CONNECT\""), "{text}");
    });
}

#[test]
fn another_pod_of_the_waypoint_is_tried_when_one_is_dead() {
    run(async {
        let (mut instance, listener) = Instance::bind().await;
        let (dead, at) = (address(), instance.address);
        let lab = NodeLab::start_with(|contents| add_waypoint(contents, &[dead, at])).await;
        instance.serve(&lab, listener);
        for _ in 0..4 {
            let mut client = lab.connect().await;
            let mut stream = instance.next().await.incoming.accept().unwrap();
            stream.write_all(b"here").await.unwrap();
            read_until(&mut client, "here").await;
        }
    });
}

#[test]
fn without_a_pod_of_its_waypoint_a_connection_fails_as_its_destination_chose() {
    run(async {
        let nobody = address();
        for open in [false, true] {
            for instances in [&[][..], &[nobody]] {
                let lab = NodeLab::start_with(|contents| {
                    add_waypoint(contents, instances);
                    let mode = if open { FailMode::Open } else { FailMode::Unset };
                    change_service(contents, |shop| shop.fail_mode = mode);
                })
                .await;
                if open {
                    let mut client = lab.connect().await;
                    let (mut server, from) = lab.accept().await;
                    assert_eq!(from.ip(), lab.web);
                    server.write_all(b"direct").await.unwrap();
                    read_until(&mut client, "direct").await;
                    drop((client, server));
                    let line = lab.line(1).await;
                    assert_eq!(line["hop"], "tcp");
                    assert_eq!(line["src.identity"], "-");
                } else {
                    lab.connect_in_vain().await;
                    let line = lab.line(1).await;
                    assert_eq!(line["message"], "connection failed", "{line:#}");
                    assert_eq!(line["response_flags"], "CONNECT");
                }
            }
        }
    });
}

#[test]
fn a_new_pod_at_an_old_address_shares_no_connection_with_the_old() {
    run(async {
        let (lab, mut instance) = with_waypoint().await;
        let mut before = lab.connect().await;
        let first = instance.next().await;
        let second_client = lab.connect().await;
        let second = instance.next().await;
        assert_eq!(first.connection, second.connection, "one pod's streams share a connection");
        let mut stream = first.incoming.accept().unwrap();
        stream.write_all(b"x").await.unwrap();
        read_until(&mut before, "x").await;
        lab.change(|contents| change_pod(contents, "web", |pod| pod.uid = "another".into()));
        let read = timeout(PATIENCE, before.read_u8()).await.unwrap();
        assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset);
        drop((second_client, second.incoming));
        let _after = lab.connect().await;
        let third = instance.next().await;
        assert_ne!(third.connection, first.connection);
        lab.change(|contents| change_pod(contents, "waypoint-0", |pod| pod.uid = "other".into()));
        let _last = lab.connect().await;
        let fourth = instance.next().await;
        assert_ne!(fourth.connection, third.connection);
    });
}

#[test]
fn a_waypoint_of_the_same_node_is_reached_through_its_network() {
    run(async {
        let (mut instance, listener) = Instance::bind().await;
        let at = instance.address;
        let netns = NetnsRef::Name(format!("test-{at}"));
        let lab = NodeLab::start_with(|contents| {
            add_waypoint(contents, &[at]);
            change_pod(contents, "waypoint-0", |pod| {
                pod.node = NODE.to_owned();
                pod.netns = Some(netns.clone());
            });
        })
        .await;
        instance.serve(&lab, listener);
        // Nobody listens there yet.
        let mut client = lab.connect().await;
        let mut stream = instance.next().await.incoming.accept().unwrap();
        stream.write_all(b"far").await.unwrap();
        read_until(&mut client, "far").await;
        drop((client, stream));
        assert_eq!(lab.line(1).await["hop"], "hbone");
        let listener = UnixListener::bind_addr(&abstract_name(&netns)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::UnixListener::from_std(listener).unwrap();
        let mut client = lab.connect().await;
        let (stream, _) = timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
        let (sender, mut streams) = tokio::sync::mpsc::unbounded_channel();
        task::spawn_local("door", async move {
            let each = |incoming| sender.send(incoming).unwrap_or_default();
            let settings = hbone::Settings::default();
            let _ = hbone::serve(stream, &settings, CancellationToken::new(), each).await;
        });
        let incoming = timeout(PATIENCE, streams.recv()).await.unwrap().unwrap();
        assert_eq!(incoming.connect.source, Some(account_of("web")));
        assert_eq!(incoming.connect.authority, Authority::Address(lab.vip));
        let mut stream = incoming.accept().unwrap();
        stream.write_all(b"near").await.unwrap();
        read_until(&mut client, "near").await;
        drop((client, stream));
        assert_eq!(lab.line(2).await["hop"], "unix");
        lab.change(|_| {});
    });
}

#[test]
fn a_mesh_carries_to_the_pod_itself_what_has_no_waypoint() {
    run(async {
        let lab =
            NodeLab::start_with(|contents| contents.settings.capture = CaptureMode::Mesh).await;
        // The pod is on this node too, so that the stream comes in at the other door.
        let mut client = lab.connect().await;
        let (mut server, from) = lab.accept().await;
        assert_eq!(from.ip(), lab.web);
        client.write_all(b"question").await.unwrap();
        client.shutdown().await.unwrap();
        assert_eq!(read_to_end(&mut server).await, "question");
        server.write_all(b"answer").await.unwrap();
        drop(server);
        assert_eq!(read_to_end(&mut client).await, "answer");
        lab.line(2).await;
        let vantages = lab.vantages.lock().unwrap().clone();
        assert_eq!(vantages, [Vantage::Pod(name("web")), Vantage::Agent(lab.web)]);
        // Who has no HBONE gets plain TCP.
        lab.change(|contents| {
            change_pod(contents, "shop-0", |pod| pod.transport = Transport::Plain);
        });
        let mut client = lab.connect().await;
        let (mut server, _) = lab.accept().await;
        server.write_all(b"plain").await.unwrap();
        read_until(&mut client, "plain").await;
        drop((client, server));
        assert_eq!(lab.line(3).await["hop"], "tcp");
    });
}

#[test]
fn a_waypoint_of_the_node_is_served_here_and_dials_as_the_client() {
    run(async {
        let lab = NodeLab::start_with(|contents| {
            add_waypoint(contents, &[]);
            let waypoint = name("waypoint");
            let here = Waypoint { placement: Placement::Node, ..Waypoint::new(waypoint.clone()) };
            contents.waypoints.insert(waypoint, Arc::new(here));
        })
        .await;
        let mut client = lab.connect().await;
        client.write_all(b"GET /path HTTP/1.1\r\nhost: shop\r\n\r\n").await.unwrap();
        let (mut server, from) = lab.accept().await;
        assert_eq!(from.ip(), lab.web);
        let head = read_until(&mut server, "\r\n\r\n").await;
        assert!(head.starts_with("GET /path HTTP/1.1\r\n"), "{head}");
        server.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
        assert!(read_until(&mut client, "ok").await.starts_with("HTTP/1.1 200 OK"));
        let vantages = lab.vantages.lock().unwrap().clone();
        assert_eq!(vantages, [Vantage::Pod(name("web")), Vantage::Agent(lab.web)]);
    });
}
