//! Endpoints that speak HBONE.

use std::{sync::Arc, time::Duration};

use tokio::io::AsyncWriteExt;

use super::{
    lab::{read_to_end, read_until},
    peers::{Client, Mesh, Pod, account, enrol, run},
};
use crate::{
    hbone::{Authority, Refusal},
    mesh::{object::ObjectName, service::AppProtocol, workload::Workload},
};

const GET: &str = "GET / HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n";

#[test]
fn an_endpoint_learns_who_the_waypoint_is_and_for_whom_it_asks() {
    run(async {
        let mesh = Mesh::new();
        let mut pod = Pod::start(&mesh, "shop").await;
        let site = mesh.waypoint(&[pod.address], AppProtocol::Detect, |contents| {
            enrol(contents, &[(&pod, "shop")]);
        });
        let client = Client::web(&mesh, &site);
        let mut stream = client.to_shop().await;
        stream.write_all(GET.as_bytes()).await.unwrap();
        let asked = pod.next().await;
        assert_eq!(asked.peer, account("waypoint"));
        let connect = &asked.incoming.connect;
        assert_eq!(connect.authority, Authority::Address(pod.address));
        assert_eq!(connect.client, Some(account("web")));
        assert_eq!(connect.via.as_deref(), Some("waypoint"));
        let mut upstream = asked.incoming.accept().unwrap();
        let head = read_until(&mut upstream, "\r\n\r\n").await;
        assert!(head.starts_with("GET / HTTP/1.1\r\n"), "{head}");
        upstream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await.unwrap();
        assert!(read_to_end(&mut stream).await.ends_with("\r\n\r\nhi"));
        let line = site.lab.line(1).await;
        assert_eq!(line["upstream_host"], pod.address.to_string());
        assert_eq!(line["destination_workload"], "default/shop-0");
        assert_eq!(line["response_flags"], "-");
    });
}

#[test]
fn an_endpoint_that_proves_another_identity_gets_nothing() {
    run(async {
        let mesh = Mesh::new();
        let mut pod = Pod::start(&mesh, "intruder").await;
        let site = mesh.waypoint(&[pod.address], AppProtocol::Detect, |contents| {
            enrol(contents, &[(&pod, "shop")]);
        });
        let answer = Client::web(&mesh, &site).ask(GET).await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        let line = site.lab.line(1).await;
        assert_eq!(line["response_flags"], "UF");
        assert_eq!(line["blame"], "backend");
        assert!(pod.is_alone());
    });
}

#[test]
fn an_endpoint_that_refuses_is_told_and_another_is_tried() {
    run(async {
        let mesh = Mesh::new();
        let mut pod = Pod::start(&mesh, "shop").await;
        let mut site = mesh.waypoint(&[pod.address], AppProtocol::Detect, |contents| {
            enrol(contents, &[(&pod, "shop")]);
        });
        let client = Client::web(&mesh, &site);
        let mut stream = client.to_shop().await;
        stream.write_all(GET.as_bytes()).await.unwrap();
        pod.next().await.incoming.refuse(Refusal::Denied);
        let answer = read_to_end(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.ends_with("http status: 401"), "{answer}");
        let failure = "delayed connect error: http status: 401";
        assert_eq!(site.lab.line(1).await["upstream_transport_failure_reason"], failure);

        let other = Pod::start(&mesh, "shop").await;
        site.lab.change(|contents| {
            let name = ObjectName::new("default", "shop");
            let service = Arc::make_mut(contents.services.get_mut(&name).unwrap());
            let mut endpoint = service.endpoints[0].clone();
            endpoint.address = other.address.ip();
            endpoint.workload = Some(ObjectName::new("default", "shop-1"));
            service.endpoints.push(endpoint);
            enrol(contents, &[(&pod, "shop"), (&other, "shop")]);
        });
        other.echo("other");
        crate::telemetry::task::spawn_local("refuse", async move {
            loop {
                pod.next().await.incoming.refuse(Refusal::Unavailable);
            }
        });
        for _ in 0..8 {
            let answer = client.ask(GET).await;
            assert!(answer.contains("\r\n\r\nother\n"), "{answer}");
        }
    });
}

#[test]
fn opaque_bytes_pass_and_each_side_ends_on_its_own() {
    run(async {
        let mesh = Mesh::new();
        let mut pod = Pod::start(&mesh, "shop").await;
        let site = mesh.waypoint(&[pod.address], AppProtocol::Tcp, |contents| {
            enrol(contents, &[(&pod, "shop")]);
        });
        let mut stream = Client::web(&mesh, &site).to_shop().await;
        stream.write_all(b"question").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut upstream = pod.accept().await;
        assert_eq!(read_to_end(&mut upstream).await, "question");
        upstream.write_all(b"answer").await.unwrap();
        read_until(&mut stream, "answer").await;
        upstream.shutdown().await.unwrap();
        assert_eq!(read_to_end(&mut stream).await, "");
        let line = site.lab.line(1).await;
        assert_eq!((&line["bytes_received"], &line["bytes_sent"]), (&8.into(), &6.into()));
        assert_eq!(line["response_flags"], "-");
        assert_eq!(line["upstream_host"], pod.address.to_string());
    });
}

#[test]
fn a_server_may_speak_first() {
    run(async {
        let mesh = Mesh::new();
        let mut pod = Pod::start(&mesh, "shop").await;
        let site = mesh.waypoint(&[pod.address], AppProtocol::Detect, |contents| {
            enrol(contents, &[(&pod, "shop")]);
        });
        let mut stream = Client::web(&mesh, &site).to_shop().await;
        let mut upstream = pod.accept().await;
        upstream.write_all(b"220 ready\r\n").await.unwrap();
        assert_eq!(read_until(&mut stream, "\r\n").await, "220 ready\r\n");
        stream.write_all(b"HELO\r\n").await.unwrap();
        assert_eq!(read_until(&mut upstream, "\r\n").await, "HELO\r\n");
    });
}

#[test]
fn a_websocket_passes() {
    run(async {
        let mesh = Mesh::new();
        let mut pod = Pod::start(&mesh, "shop").await;
        let site = mesh.waypoint(&[pod.address], AppProtocol::Detect, |contents| {
            enrol(contents, &[(&pod, "shop")]);
        });
        let mut stream = Client::web(&mesh, &site).to_shop().await;
        let ask = b"GET /chat HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\n\
                    upgrade: websocket\r\n\r\n";
        stream.write_all(ask).await.unwrap();
        let mut upstream = pod.accept().await;
        read_until(&mut upstream, "\r\n\r\n").await;
        let grant = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n\
                      upgrade: websocket\r\n\r\nfirst";
        upstream.write_all(grant).await.unwrap();
        assert!(read_until(&mut stream, "first").await.starts_with("HTTP/1.1 101 "));
        stream.write_all(b"ping").await.unwrap();
        read_until(&mut upstream, "ping").await;
        stream.shutdown().await.unwrap();
        assert_eq!(read_to_end(&mut upstream).await, "");
        upstream.write_all(b"last").await.unwrap();
        upstream.shutdown().await.unwrap();
        assert_eq!(read_to_end(&mut stream).await, "last");
    });
}

/// Gives the address of the pod `shop-0` to another pod.
fn replace(contents: &mut crate::mesh::snapshot::Contents, identity: &str) {
    let name = ObjectName::new("default", "shop-0");
    let before = contents.workloads.get(&name).unwrap();
    let now =
        Workload { uid: "another".into(), identity: account(identity), ..Workload::clone(before) };
    contents.workloads.insert(name, Arc::new(now));
}

#[test]
fn nothing_goes_on_through_old_tunnels_when_an_address_has_a_new_owner() {
    run(async {
        let mesh = Mesh::new();
        let mut pod = Pod::start(&mesh, "shop").await;
        let mut site = mesh.waypoint(&[pod.address], AppProtocol::Detect, |contents| {
            enrol(contents, &[(&pod, "shop")]);
        });
        let client = Client::web(&mesh, &site);
        let mut stream = client.to_shop().await;
        stream.write_all(b"GET /1 HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let mut upstream = pod.accept().await;
        read_until(&mut upstream, "\r\n\r\n").await;
        upstream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await.unwrap();
        read_until(&mut stream, "\r\n\r\nhi").await;
        site.lab.change(|contents| replace(contents, "other"));
        // The tunnel is cut from our side at once, also under a kept connection.
        assert_eq!(read_to_end(&mut upstream).await, "");
        stream.write_all(b"GET /2 HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        // The pod still proves who it was, which is not whom the mesh has there now.
        let answer = read_until(&mut stream, "\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(pod.is_alone());
        site.lab.change(|contents| replace(contents, "shop"));
        pod.echo("again");
        let until = tokio::time::Instant::now() + Duration::from_secs(20);
        while !client.ask(GET).await.contains("\r\n\r\nagain\n") {
            assert!(tokio::time::Instant::now() < until, "the new owner is never reached");
        }
    });
}

#[test]
fn clients_do_not_share_connections_to_an_endpoint() {
    run(async {
        let mesh = Mesh::new();
        let mut pod = Pod::start(&mesh, "shop").await;
        let site = mesh.waypoint(&[pod.address], AppProtocol::Detect, |contents| {
            enrol(contents, &[(&pod, "shop")]);
        });
        let keep = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
        let mut kept = Vec::new();
        for name in ["web", "admin"] {
            let client = Client::new(&mesh, name, site.door, "waypoint");
            let mut stream = client.to_shop().await;
            stream.write_all(keep).await.unwrap();
            let asked = pod.next().await;
            assert_eq!(asked.incoming.connect.client, Some(account(name)));
            let mut upstream = asked.incoming.accept().unwrap();
            read_until(&mut upstream, "\r\n\r\n").await;
            upstream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await.unwrap();
            read_until(&mut stream, "\r\n\r\nhi").await;
            kept.push((client, stream, upstream));
        }
        // The first client's next request takes its own connection again.
        let (_client, stream, upstream) = &mut kept[0];
        stream.write_all(keep).await.unwrap();
        read_until(upstream, "\r\n\r\n").await;
        assert!(pod.is_alone());
    });
}
