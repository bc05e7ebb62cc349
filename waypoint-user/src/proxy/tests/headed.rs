//! PROXY headers: as a node writes them for a waypoint, and as a waypoint takes them.

use std::{net::SocketAddr, sync::Arc};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{
    lab::{Backend, PATIENCE, read_to_end},
    node::{NodeLab, account_of, change_pod, change_service, name},
    peers::{Mesh, Site, VIP, run},
};
use crate::{
    hbone::{Authority, Connect, Error, Forwarded, Pool, proxy_protocol::Told},
    mesh::{
        binding::Binding,
        service::AppProtocol,
        snapshot::Contents,
        waypoint::{InboundBinding, Waypoint},
    },
};

/// Makes `shop-0` a pod of the waypoint before `shop`, with the application's port as the binding's
/// if it is to have one.
fn sandwich(contents: &mut Contents, proxy: bool, with_port: bool) {
    let port = contents.services[&name("shop")].endpoints[0].ports[0].1;
    let binding = InboundBinding { proxy, port: with_port.then_some(port) };
    let waypoint = name("waypoint");
    let found = Waypoint { inbound_binding: Some(binding), ..Waypoint::new(waypoint.clone()) };
    contents.waypoints.insert(waypoint.clone(), Arc::new(found));
    change_pod(contents, "shop-0", |pod| pod.instance_of = Some(waypoint.clone()));
    change_service(contents, |shop| shop.binding = Binding::Bound(waypoint));
}

/// What arrives first at the application for a stream of `web`, if the stream is granted.
async fn arrives(lab: &NodeLab, connect: &Connect, length: usize) -> Result<Vec<u8>, Error> {
    let pool = Pool::default();
    let mut stream = lab.open(&pool, ("web", lab.web), connect).await?;
    let (mut server, from) = lab.accept().await;
    assert_eq!(from.ip(), lab.web);
    stream.write_all(b"question").await.unwrap();
    let mut first = vec![0; length];
    timeout(PATIENCE, server.read_exact(&mut first)).await.expect("too short").unwrap();
    Ok(first)
}

/// What a header and a question are.
fn question(source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
    let identity = Some("spiffe://cluster.local/ns/default/sa/web".to_owned());
    [Told { source, destination, identity }.header(), b"question".to_vec()].concat()
}

#[test]
fn a_waypoint_behind_its_agent_is_told_whose_a_stream_is_before_anything_else() {
    run(async {
        let lab = NodeLab::start_with(|contents| sandwich(contents, true, true)).await;
        let source = SocketAddr::new(lab.web, 4711);
        let forwarded = Some(Forwarded { client: source, host: None });
        let connect = Connect { forwarded, ..Connect::to_address(lab.vip) };
        let expected = question(source, lab.vip);
        assert_eq!(arrives(&lab, &connect, expected.len()).await.unwrap(), expected);
        // Nobody writes the header himself, and nothing else is taken.
        let own = lab.application.local_addr().unwrap();
        let connect = Connect { authority: Authority::Address(own), ..connect };
        let expected = question(source, own);
        assert_eq!(arrives(&lab, &connect, expected.len()).await.unwrap(), expected);
        let elsewhere = SocketAddr::new(lab.web, own.port());
        let refused = arrives(&lab, &Connect::to_address(elsewhere), 0).await;
        assert!(matches!(refused, Err(Error::Refused(400))), "{refused:?}");
        assert_eq!(lab.line(3).await["response_flags"], "CONNECT");
    });
}

#[test]
fn a_peer_is_not_believed_that_it_comes_from_elsewhere() {
    run(async {
        let lab = NodeLab::start_with(|contents| sandwich(contents, true, true)).await;
        let forwarded = Some(Forwarded { client: "192.0.2.1:9".parse().unwrap(), host: None });
        let connect = Connect { forwarded, ..Connect::to_address(lab.vip) };
        let expected = question(SocketAddr::new(lab.web, 0), lab.vip);
        let mut first = arrives(&lab, &connect, expected.len()).await.unwrap();
        // The port is the one of the connection of HBONE.
        first[24..26].fill(0);
        assert_eq!(first, expected);
    });
}

#[test]
fn a_waypoint_that_wants_no_headers_gets_none() {
    run(async {
        let lab = NodeLab::start_with(|contents| sandwich(contents, false, true)).await;
        let first = arrives(&lab, &Connect::to_address(lab.vip), 8).await.unwrap();
        assert_eq!(first, b"question");
    });
}

#[test]
fn what_is_bound_to_such_a_waypoint_a_moment_later_is_granted() {
    run(async {
        let lab = NodeLab::start_with(|contents| {
            sandwich(contents, true, true);
            change_service(contents, |shop| {
                shop.binding = Binding::Direct;
                shop.endpoints.clear();
            });
        })
        .await;
        let (pool, connect) = (Pool::default(), Connect::to_address(lab.vip));
        let opening = lab.open(&pool, ("web", lab.web), &connect);
        let binding = async {
            let open = "waypoint_connections{worker=\"0\"} 1";
            while !lab.registry.encode().lines().any(|line| line == open) {
                tokio::task::yield_now().await;
            }
            lab.change(|contents| {
                change_service(contents, |shop| shop.binding = Binding::Bound(name("waypoint")));
            });
        };
        let (opened, ()) = tokio::join!(opening, binding);
        opened.unwrap();
    });
}

/// Whom a header tells of, by default.
pub(super) fn web() -> Told {
    Told {
        source: "127.0.0.1:4711".parse().unwrap(),
        destination: VIP,
        identity: Some("spiffe://cluster.local/ns/default/sa/web".to_owned()),
    }
}

/// What comes back for what was written, until the end.
async fn answer(site: &Site, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(site.headed).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    read_to_end(&mut stream).await
}

pub(super) const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n";

#[test]
fn a_connection_is_the_client_s_that_its_header_tells() {
    run(async {
        let (mesh, backend) = (Mesh::new(), Backend::bind().await);
        let site = mesh.waypoint(&[backend.address()], AppProtocol::Detect, |_| {});
        backend.echo("one");
        let text = answer(&site, &[web().header(), GET.to_vec()].concat()).await;
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
        assert!(text.contains(";URI=spiffe://cluster.local/ns/default/sa/web\r\n"), "{text}");
        assert!(!text.contains("QUIT"), "{text}");
        let line = site.lab.line(1).await;
        for (field, value) in [
            ("downstream_remote_address", "127.0.0.1:4711"),
            ("downstream_local_address", "10.96.0.1:80"),
            ("source_workload", "default/web"),
            ("destination_service", "default/shop"),
        ] {
            assert_eq!(line[field], value, "{field} in {line:#}");
        }
    });
}

#[test]
fn a_header_may_come_in_pieces_and_long_before_the_rest() {
    run(async {
        let (mesh, backend) = (Mesh::new(), Backend::bind().await);
        let site = mesh.waypoint(&[backend.address()], AppProtocol::Http, |_| {});
        backend.echo("one");
        let mut stream = TcpStream::connect(site.headed).await.unwrap();
        stream.set_nodelay(true).unwrap();
        for byte in web().header() {
            stream.write_all(&[byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
        stream.write_all(GET).await.unwrap();
        assert!(read_to_end(&mut stream).await.starts_with("HTTP/1.1 200 OK\r\n"));
    });
}

#[test]
fn what_is_no_header_or_is_not_believed_is_closed_and_counted() {
    run(async {
        let (mesh, backend) = (Mesh::new(), Backend::bind().await);
        let site = mesh.waypoint(&[backend.address()], AppProtocol::Detect, |_| {});
        backend.echo("one");
        let mut too_long = web().header();
        too_long[14..16].fill(0xFF);
        let mut local = web().header();
        local[12] = 0x20;
        let another =
            |account: &str| Told { identity: Some(account_of(account).to_string()), ..web() };
        let elsewhere = Told { source: "10.1.0.9:4711".parse().unwrap(), ..web() };
        let nobody = Told { identity: None, ..web() };
        let mut count = 0.0;
        for (what, begin) in [
            ("no header", Vec::new()),
            ("too long", too_long),
            ("the proxy's own", local),
            ("another pod", another("admin").header()),
            ("another address", elsewhere.header()),
            ("no identity", nobody.header()),
        ] {
            let text = answer(&site, &[begin, GET.to_vec()].concat()).await;
            assert_eq!(text, "", "{what}");
            count += 1.0;
            let limit = ["waypoint_limit_hits_total{", "limit=\"proxy_headers\""];
            while site.lab.metric(&limit).await < count {
                tokio::task::yield_now().await;
            }
        }
        // Nothing of it was served, so this is the first line.
        answer(&site, &[web().header(), GET.to_vec()].concat()).await;
        assert_eq!(site.lab.line(1).await["response_code"], 200);
    });
}

#[test]
fn a_header_that_never_ends_is_waited_for_in_bounds() {
    run(async {
        let mesh = Mesh::new();
        let site = mesh.waypoint(&[], AppProtocol::Detect, |_| {});
        let mut silent = TcpStream::connect(site.headed).await.unwrap();
        let header = web().header();
        assert_eq!(answer(&site, &header[..header.len() - 1]).await, "");
        assert_eq!(read_to_end(&mut silent).await, "");
        let limit = ["waypoint_limit_hits_total{", "limit=\"proxy_headers\""];
        while site.lab.metric(&limit).await < 2.0 {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn a_header_for_what_is_not_bound_here_is_refused_and_told() {
    run(async {
        let mesh = Mesh::new();
        let site = mesh.waypoint(&[], AppProtocol::Detect, |_| {});
        let elsewhere = Told { destination: "10.96.0.2:80".parse().unwrap(), ..web() };
        assert_eq!(answer(&site, &[elsewhere.header(), GET.to_vec()].concat()).await, "");
        let line = site.lab.line(1).await;
        for (field, value) in [
            ("response_flags", "NR"),
            ("source_workload", "default/web"),
            ("downstream_local_address", "10.96.0.2:80"),
        ] {
            assert_eq!(line[field], value, "{field} in {line:#}");
        }
    });
}
