//! A node that delivers what arrives for its pods.

use std::{io::ErrorKind, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use super::{
    lab::{PATIENCE, add_policy, read_to_end},
    node::{NodeLab, account_of, add_waypoint, address, change_pod, name},
    peers::run,
};
use crate::{
    hbone::{self, Authority, Connect, Error, Pool},
    mesh::{
        label::Selector,
        pattern::StringMatch,
        policy::{Action, AnyNone, AuthorizationPolicy, PolicyRule, PolicyTarget, Source},
        snapshot::Contents,
    },
};

/// Denies everything to an identity, at the pods of the namespace.
fn deny(contents: &mut Contents, account: &str) {
    let who = vec![StringMatch::parse(&format!("cluster.local/ns/default/sa/{account}"))];
    let principals = AnyNone { any: who, none: Vec::new() };
    let from = vec![Source { principals, ..Source::default() }];
    let policy = AuthorizationPolicy {
        name: name("no-entry"),
        action: Action::Deny,
        targets: vec![PolicyTarget::Pods(Selector::default())],
        rules: vec![PolicyRule { from, ..PolicyRule::default() }],
        dry_run: false,
    };
    add_policy(contents, policy);
}

/// What a stream is answered.
async fn status(lab: &NodeLab, who: &str, authority: Authority) -> u16 {
    let pool = Pool::default();
    match lab.open(&pool, (who, lab.web), &Connect::to(authority)).await {
        Ok(_) => 200,
        Err(Error::Refused(status)) => status,
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn connections_beyond_the_limit_are_reset_and_counted() {
    run(async {
        let lab = NodeLab::start_set(|settings| settings.tunnels_max = 1, |_| {}).await;
        let own = Authority::Address(lab.application.local_addr().unwrap());
        let open =
            async |pool: &Pool| lab.open(pool, ("web", lab.web), &Connect::to(own.clone())).await;
        let (first, second) = (Pool::default(), Pool::default());
        let _stream = open(&first).await.unwrap();
        assert!(open(&second).await.is_err());
        let text = lab.registry.encode();
        let hit = |line: &str| {
            line.starts_with("waypoint_limit_hits_total{")
                && line.contains("limit=\"tunnels\"")
                && line.ends_with("} 1")
        };
        assert!(text.lines().any(hit), "{text}");
    });
}

#[test]
fn a_stream_is_answered_by_where_it_goes_and_who_asks() {
    run(async {
        let lab = NodeLab::start().await;
        let port = lab.application.local_addr().unwrap().port();
        let own = |port| Authority::Address(SocketAddr::new(lab.shop, port));
        let host = |host: &str| Authority::Host(host.to_owned(), lab.vip.port());
        let elsewhere = Authority::Address(SocketAddr::new(lab.web, port));
        let vip = Authority::Address(lab.vip);
        let other_port = Authority::Address(SocketAddr::new(lab.vip.ip(), 9));
        let closed = std::net::TcpListener::bind((lab.shop, 0)).unwrap();
        let closed_port = closed.local_addr().unwrap().port();
        drop(closed);
        for (authority, expected) in [
            (own(port), 200),
            (vip.clone(), 200),
            (host("shop.default.svc.cluster.local"), 200),
            (elsewhere, 400),
            (Authority::Address("192.0.2.1:80".parse().unwrap()), 400),
            (other_port, 503),
            (host("nobody.default.svc.cluster.local"), 503),
            (own(hbone::PORT), 503),
            (own(closed_port), 503),
        ] {
            let asked = authority.to_string();
            assert_eq!(status(&lab, "web", authority).await, expected, "{asked}");
        }
        let authority = own(port);
        lab.change(|contents| deny(contents, "web"));
        assert_eq!(status(&lab, "web", authority.clone()).await, 401);
        assert_eq!(status(&lab, "other", authority).await, 200);
    });
}

#[test]
fn the_application_sees_the_peers_address_and_every_byte() {
    run(async {
        let lab = NodeLab::start().await;
        let port = lab.application.local_addr().unwrap().port();
        let connect = Connect::to_address(SocketAddr::new(lab.shop, port));
        let pool = Pool::default();
        let mut stream = lab.open(&pool, ("web", lab.web), &connect).await.unwrap();
        let (mut server, from) = lab.accept().await;
        assert_eq!(from.ip(), lab.web);
        stream.write_all(b"question").await.unwrap();
        stream.shutdown().await.unwrap();
        assert_eq!(read_to_end(&mut server).await, "question");
        server.write_all(b"late answer").await.unwrap();
        drop(server);
        let mut all = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut all)).await.unwrap().unwrap();
        assert_eq!(all, b"late answer");
        let line = lab.line(1).await;
        for (field, value) in [
            ("message", "connection complete"),
            ("direction", "inbound"),
            ("src.workload", "web"),
            ("src.identity", "spiffe://cluster.local/ns/default/sa/web"),
            ("dst.workload", "shop-0"),
            ("dst.identity", "spiffe://cluster.local/ns/default/sa/shop-0"),
            ("client.identity", "-"),
            ("error", "-"),
        ] {
            assert_eq!(line[field], value, "{field} in {line:#}");
        }
        assert_eq!((&line["bytes_recv"], &line["bytes_sent"]), (&8.into(), &11.into()));
        let text = lab.registry.encode();
        let opened = text.lines().find(|l| l.starts_with("istio_tcp_connections_opened_total{"));
        let opened = opened.unwrap();
        assert!(opened.contains("reporter=\"destination\""), "{opened}");
        assert!(opened.contains("connection_security_policy=\"mutual_tls\""), "{opened}");
    });
}

#[test]
fn resets_go_both_ways() {
    run(async {
        let lab = NodeLab::start().await;
        let port = lab.application.local_addr().unwrap().port();
        let connect = Connect::to_address(SocketAddr::new(lab.shop, port));
        let pool = Pool::default();
        let mut stream = lab.open(&pool, ("web", lab.web), &connect).await.unwrap();
        let (mut server, _) = lab.accept().await;
        stream.reset();
        let read = timeout(PATIENCE, server.read_u8()).await.unwrap();
        assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset);
        let mut stream = lab.open(&pool, ("web", lab.web), &connect).await.unwrap();
        let (server, _) = lab.accept().await;
        server.set_zero_linger().unwrap();
        drop(server);
        assert!(timeout(PATIENCE, stream.read_u8()).await.unwrap().is_err());
    });
}

#[test]
fn only_a_waypoint_of_the_pod_speaks_for_others_and_only_from_its_address() {
    run(async {
        let instance = address();
        let lab = NodeLab::start_with(|contents| add_waypoint(contents, &[instance])).await;
        let port = lab.application.local_addr().unwrap().port();
        let connect = Connect {
            client: Some(account_of("somebody")),
            ..Connect::to_address(SocketAddr::new(lab.shop, port))
        };
        for (number, (account, from, believed)) in [
            ("web", lab.web, false),
            ("web", instance, false),
            ("waypoint", lab.web, false),
            ("waypoint", instance, true),
        ]
        .into_iter()
        .enumerate()
        {
            let pool = Pool::default();
            drop(lab.open(&pool, (account, from), &connect).await.unwrap());
            lab.accept().await;
            let line = lab.line(number + 1).await;
            let client =
                if believed { "spiffe://cluster.local/ns/default/sa/somebody" } else { "-" };
            assert_eq!(line["client.identity"], client, "{account} from {from}");
        }
    });
}

#[test]
fn a_policy_that_denies_now_cuts_what_it_allowed() {
    run(async {
        let lab = NodeLab::start().await;
        let port = lab.application.local_addr().unwrap().port();
        let connect = Connect::to_address(SocketAddr::new(lab.shop, port));
        let pool = Pool::default();
        let mut stream = lab.open(&pool, ("web", lab.web), &connect).await.unwrap();
        let mut other = lab.open(&pool, ("other", lab.web), &connect).await.unwrap();
        let (_first, _) = lab.accept().await;
        let (mut second, _) = lab.accept().await;
        lab.change(|contents| deny(contents, "web"));
        assert!(timeout(PATIENCE, stream.read_u8()).await.unwrap().is_err());
        let line = lab.line(1).await;
        assert_eq!(line["error"], "connection closed due to policy change");
        assert_eq!(line["response_flags"], "DENY");
        second.write_all(b"x").await.unwrap();
        assert_eq!(timeout(PATIENCE, other.read_u8()).await.unwrap().unwrap(), b'x');
    });
}

#[test]
fn everything_of_a_pod_ends_with_it() {
    run(async {
        let lab = NodeLab::start().await;
        let port = lab.application.local_addr().unwrap().port();
        let connect = Connect::to_address(SocketAddr::new(lab.shop, port));
        let pool = Pool::default();
        let mut stream = lab.open(&pool, ("web", lab.web), &connect).await.unwrap();
        let (mut server, _) = lab.accept().await;
        lab.change(|contents| change_pod(contents, "shop-0", |pod| pod.uid = "another".into()));
        assert!(timeout(PATIENCE, stream.read_u8()).await.unwrap().is_err());
        assert_eq!(lab.line(1).await["error"], "the pod is gone");
        let read = timeout(PATIENCE, server.read_u8()).await.unwrap();
        assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset);
        // Nobody is at the address any more.
        lab.change(|contents| {
            contents.workloads.remove(&name("shop-0"));
        });
        let refused = lab.open(&Pool::default(), ("web", lab.web), &connect).await;
        assert!(!matches!(refused, Ok(_) | Err(Error::Refused(_))));
    });
}

#[test]
fn a_pod_that_the_authority_does_not_know_yet_is_waited_for() {
    run(async {
        let lab = NodeLab::start().await;
        lab.authority_knows(false);
        let port = lab.application.local_addr().unwrap().port();
        let connect = Connect::to_address(SocketAddr::new(lab.shop, port));
        let pool = Pool::default();
        let opening = lab.open(&pool, ("web", lab.web), &connect);
        let learning = async {
            lab.asked_for_a_certificate().await;
            lab.authority_knows(true);
        };
        let (opened, ()) = tokio::join!(opening, learning);
        opened.unwrap();
    });
}
