//! The doors of a waypoint.

use std::{os::linux::net::SocketAddrExt, os::unix::net::SocketAddr as UnixAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use super::{
    lab::{Backend, PATIENCE, add_workload, read_to_end, read_until},
    peers::{Client, Mesh, VIP, account, place, run},
    tcp::deny_web,
};
use crate::{
    hbone::{self, Authority, Connect, Error, Forwarded, Io, Key},
    mesh::{binding::Binding, object::ObjectName, service::AppProtocol},
};

const GET: &str = "GET / HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n";

#[test]
fn a_stream_is_a_connection_of_the_peer_that_proved_itself() {
    run(async {
        let (mesh, backend) = (Mesh::new(), Backend::bind().await);
        let site = mesh.waypoint(&[backend.address()], AppProtocol::Detect, |_| {});
        backend.echo("one");
        let client = Client::web(&mesh, &site);
        let answer = client
            .ask(
                "GET / HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\
                 x-forwarded-client-cert: By=forged;URI=forged\r\nx-forwarded-for: 9.9.9.9\r\n\
                 waypoint-client: forged\r\n\r\n",
            )
            .await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        let by = "By=spiffe://cluster.local/ns/default/sa/waypoint;\
                  URI=spiffe://cluster.local/ns/default/sa/web";
        for part in [
            &format!("\r\nx-forwarded-client-cert: {by}\r\n"),
            "\r\nx-forwarded-for: 9.9.9.9,127.0.0.1\r\n",
        ] {
            assert!(answer.contains(part), "no {part:?} in {answer}");
        }
        assert!(!answer.contains("forged"), "{answer}");
        let line = site.lab.line(1).await;
        for (field, value) in [
            ("response_flags", "-"),
            ("source_workload", "default/web"),
            ("source_principal", "spiffe://cluster.local/ns/default/sa/web"),
            ("destination_workload", "default/shop-0"),
            ("destination_service", "default/shop"),
            ("waypoint", "default/waypoint"),
            ("downstream_local_address", "10.96.0.1:80"),
        ] {
            assert_eq!(line[field], value, "{field} in {line:#}");
        }
        let labels = [
            "istio_requests_total{",
            "source_workload=\"web\"",
            "source_principal=\"spiffe://cluster.local/ns/default/sa/web\"",
            "connection_security_policy=\"mutual_tls\"",
            "response_code=\"200\"",
        ];
        assert!((site.lab.metric(&labels).await - 1.0).abs() < f64::EPSILON);
    });
}

#[test]
fn what_is_not_bound_here_is_refused_and_told() {
    run(async {
        let mesh = Mesh::new();
        let site = mesh.waypoint(&[], AppProtocol::Detect, |contents| {
            add_workload(contents, "pod");
            place(contents, "pod", "10.1.0.9".parse().unwrap());
            let shop = contents.services.get(&ObjectName::new("default", "shop")).unwrap();
            let mut other = crate::mesh::service::Service::clone(shop);
            other.name = ObjectName::new("default", "other");
            other.vips = vec!["10.96.0.2".parse().unwrap()];
            other.binding = Binding::Bound(ObjectName::new("default", "elsewhere"));
            contents.services.insert(other.name.clone(), other.into());
        });
        let client = Client::web(&mesh, &site);
        let asked = ["10.96.0.2:80", "10.96.0.1:81", "10.1.0.9:80", "192.0.2.1:80"];
        for (number, address) in asked.into_iter().enumerate() {
            let connect = Connect::to_address(address.parse().unwrap());
            let refused = client.open(connect).await;
            assert!(matches!(refused, Err(Error::Refused(400))), "{address}: {refused:?}");
            let line = site.lab.line(number + 1).await;
            for (field, value) in [
                ("response_flags", "NR"),
                ("method", "CONNECT"),
                ("authority", address),
                ("source_workload", "default/web"),
            ] {
                assert_eq!(line[field], value, "{field} in {line:#}");
            }
            assert_eq!(line["response_code"], 400);
        }
        // The connection that carried them is as good as before.
        client.to_shop().await;
    });
}

#[test]
fn a_service_may_be_asked_for_by_name() {
    run(async {
        let (mesh, backend) = (Mesh::new(), Backend::bind().await);
        let site = mesh.waypoint(&[backend.address()], AppProtocol::Detect, |_| {});
        backend.echo("one");
        let client = Client::web(&mesh, &site);
        let host = |name: &str| Connect::to(Authority::Host(name.to_owned(), 80));
        let mut stream = client.open(host("shop.default.svc.cluster.local")).await.unwrap();
        stream.write_all(GET.as_bytes()).await.unwrap();
        assert!(read_to_end(&mut stream).await.contains("\r\n\r\none\n"));
        assert_eq!(site.lab.line(1).await["downstream_local_address"], "10.96.0.1:80");
        let refused = client.open(host("shop.elsewhere.svc.cluster.local")).await;
        assert!(matches!(refused, Err(Error::Refused(400))), "{refused:?}");
    });
}

#[test]
fn a_peer_tells_the_port_of_its_own_address_and_nothing_else() {
    run(async {
        let (mesh, backend) = (Mesh::new(), Backend::bind().await);
        let site = mesh.waypoint(&[backend.address()], AppProtocol::Detect, |_| {});
        backend.echo("one");
        let client = Client::web(&mesh, &site);
        let forwarded = ["127.0.0.1:4711", "10.1.2.3:4711"];
        for (number, told) in forwarded.into_iter().enumerate() {
            let told = Forwarded { client: told.parse().unwrap(), host: None };
            let connect = Connect { forwarded: Some(told), ..Connect::to_address(VIP) };
            let mut stream = client.open(connect).await.unwrap();
            stream.write_all(GET.as_bytes()).await.unwrap();
            let answer = read_to_end(&mut stream).await;
            assert!(answer.contains("\r\nx-forwarded-for: 127.0.0.1\r\n"), "{answer}");
            let line = site.lab.line(number + 1).await;
            let remote = line["downstream_remote_address"].as_str().unwrap();
            assert!(remote.starts_with("127.0.0.1:"), "{remote}");
            assert_eq!(remote.ends_with(":4711"), number == 0, "{remote}");
        }
    });
}

#[test]
fn whoever_proves_nobody_gets_nothing() {
    run(async {
        let (mesh, backend) = (Mesh::new(), Backend::bind().await);
        let site = mesh.waypoint(&[backend.address()], AppProtocol::Detect, |_| {});
        // Its authority is another, of the same trust domain.
        let stranger = Client::web(&Mesh::new(), &site);
        assert!(stranger.open(Connect::to_address(VIP)).await.is_err());
        // It knows the authority but wants to speak with somebody else.
        let misled = Client::new(&mesh, "web", site.door, "other");
        assert!(misled.open(Connect::to_address(VIP)).await.is_err());
        let failed = ["waypoint_tls_handshakes_failed_total{", "worker=\"0\""];
        while site.lab.metric(&failed).await < 2.0 {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn a_drain_ends_streams_when_they_end_and_takes_no_new_ones() {
    run(async {
        let (mesh, backend) = (Mesh::new(), Backend::bind().await);
        let site = mesh.waypoint(&[backend.address()], AppProtocol::Tcp, |_| {});
        let client = Client::web(&mesh, &site);
        let mut stream = client.to_shop().await;
        stream.write_all(b"before").await.unwrap();
        let mut upstream = backend.accept().await;
        read_until(&mut upstream, "before").await;
        let draining = crate::telemetry::task::spawn("drain", site.lab.engine.drain());
        // A new connection is refused as soon as the drain has begun.
        while tokio::net::TcpStream::connect(site.door).await.is_ok() {
            tokio::task::yield_now().await;
        }
        stream.write_all(b"after").await.unwrap();
        read_until(&mut upstream, "after").await;
        upstream.write_all(b"answer").await.unwrap();
        drop(upstream);
        assert_eq!(read_to_end(&mut stream).await, "answer");
        stream.shutdown().await.unwrap();
        drop(stream);
        let drained = timeout(PATIENCE, draining).await.unwrap().unwrap();
        assert_eq!((drained.finished, drained.cut), (1, 0));
        assert!(client.open(Connect::to_address(VIP)).await.is_err());
    });
}

#[test]
fn a_policy_that_comes_to_deny_a_peer_cuts_its_streams_and_refuses_more() {
    run(async {
        let (mesh, backend) = (Mesh::new(), Backend::bind().await);
        let mut site = mesh.waypoint(&[backend.address()], AppProtocol::Tcp, |_| {});
        let client = Client::web(&mesh, &site);
        let other = Client::new(&mesh, "admin", site.door, "waypoint");
        let (mut stream, mut spared) = (client.to_shop().await, other.to_shop().await);
        for (stream, text) in [(&mut stream, "web"), (&mut spared, "admin")] {
            stream.write_all(text.as_bytes()).await.unwrap();
        }
        let mut upstreams = [backend.accept().await, backend.accept().await];
        site.lab.change(deny_web);
        assert!(timeout(PATIENCE, stream.read_u8()).await.unwrap().is_err());
        let details = "rbac_access_denied_matched_policy[ns[default]-policy[no-web]-rule[0]]";
        let line = site.lab.line(1).await;
        assert_eq!(line["connection_termination_details"], details);
        assert_eq!(line["source_principal"], "spiffe://cluster.local/ns/default/sa/web");
        // The stream is granted, as its destination is bound here, and ends at once.
        let mut again = client.to_shop().await;
        assert!(timeout(PATIENCE, again.read_u8()).await.unwrap().is_err());
        assert_eq!(site.lab.line(2).await["connection_termination_details"], details);
        for upstream in &mut upstreams {
            upstream.write_all(b"still here").await.unwrap_or_default();
        }
        read_until(&mut spared, "still here").await;
    });
}

#[test]
fn a_reset_of_one_side_resets_the_other() {
    run(async {
        let (mesh, backend) = (Mesh::new(), Backend::bind().await);
        let site = mesh.waypoint(&[backend.address()], AppProtocol::Tcp, |_| {});
        let client = Client::web(&mesh, &site);
        for client_resets in [true, false] {
            let mut stream = client.to_shop().await;
            stream.write_all(b"x").await.unwrap();
            let mut upstream = backend.accept().await;
            read_until(&mut upstream, "x").await;
            let end = if client_resets {
                stream.reset();
                timeout(PATIENCE, upstream.read_u8()).await
            } else {
                upstream.set_zero_linger().unwrap();
                drop(upstream);
                timeout(PATIENCE, stream.read_u8()).await
            };
            let cause = end.expect("no reset").unwrap_err();
            assert_eq!(cause.kind(), std::io::ErrorKind::ConnectionReset, "{cause}");
        }
        let flags = [site.lab.line(2).await["response_flags"].clone()];
        assert_eq!(flags, ["UC"]);
    });
}

#[test]
fn streams_and_connections_beyond_the_limits_are_refused_and_counted() {
    run(async {
        let mesh = Mesh::new();
        let site = mesh.waypoint_with(
            |settings| {
                settings.connections_max = 1;
                settings.tunnels_max = 1;
            },
            &[],
            AppProtocol::Detect,
            |_| {},
        );
        let client = Client::web(&mesh, &site);
        let _first = client.to_shop().await;
        let second = client.open(Connect::to_address(VIP)).await;
        assert!(matches!(second, Err(Error::Refused(503))), "{second:?}");
        let another = Client::web(&mesh, &site);
        assert!(another.open(Connect::to_address(VIP)).await.is_err());
        for limit in ["limit=\"connections\"", "limit=\"tunnels\""] {
            let hits = site.lab.metric(&["waypoint_limit_hits_total{", limit]).await;
            assert!((hits - 1.0).abs() < f64::EPSILON, "{limit}: {hits}");
        }
        let tunnels = site.lab.metric(&["waypoint_tunnels{", "worker=\"0\""]).await;
        assert!((tunnels - 1.0).abs() < f64::EPSILON, "{tunnels}");
    });
}

#[test]
fn the_agent_says_whose_a_stream_is() {
    run(async {
        let (mesh, backend) = (Mesh::new(), Backend::bind().await);
        let site = mesh.waypoint(&[backend.address()], AppProtocol::Detect, |contents| {
            place(contents, "web", "10.1.0.7".parse().unwrap());
        });
        backend.echo("one");
        let key = Key {
            source: account("agent"),
            expected: Vec::new(),
            from: None,
            to: VIP,
            workload: "waypoint".into(),
        };
        let connect = Connect {
            source: Some(account("web")),
            forwarded: Some(Forwarded { client: "10.1.0.7:4711".parse().unwrap(), host: None }),
            ..Connect::to_address(VIP)
        };
        let address = UnixAddr::from_abstract_name(&site.local).unwrap();
        let dial = async move {
            let stream = std::os::unix::net::UnixStream::connect_addr(&address).unwrap();
            stream.set_nonblocking(true).unwrap();
            let stream = tokio::net::UnixStream::from_std(stream).unwrap();
            Ok(Box::new(stream) as Box<dyn Io>)
        };
        let pool = hbone::Pool::new(hbone::Settings::default());
        let mut stream = pool.open(&key, &connect, dial).await.unwrap();
        stream.write_all(GET.as_bytes()).await.unwrap();
        let answer = read_to_end(&mut stream).await;
        assert!(answer.contains("\r\nx-forwarded-for: 10.1.0.7\r\n"), "{answer}");
        assert!(answer.contains(";URI=spiffe://cluster.local/ns/default/sa/web\r\n"), "{answer}");
        let line = site.lab.line(1).await;
        assert_eq!(line["downstream_remote_address"], "10.1.0.7:4711");
        assert_eq!(line["source_workload"], "default/web");
    });
}
