use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::http2::RequestHead;

fn host(text: &str) -> Option<Authority> {
    let (host, port) = text.rsplit_once(':')?;
    Some(Authority::Host(host.to_ascii_lowercase(), port.parse().ok()?))
}

#[test]
fn authorities_are_addresses_or_host_names() {
    let address = |text: &str| Some(Authority::Address(text.parse().unwrap()));
    assert_eq!(Authority::parse("10.0.0.1:80"), address("10.0.0.1:80"));
    assert_eq!(Authority::parse("[fd00::1]:15008"), address("[fd00::1]:15008"));
    assert_eq!(Authority::parse("[::ffff:10.0.0.1]:80"), address("10.0.0.1:80"));
    for text in ["shop.default.svc.cluster.local:80", "Shop:65535", "1st_shop.x-y:1"] {
        assert_eq!(Authority::parse(text), host(text), "{text}");
        assert!(Authority::parse(text).is_some());
    }
}

#[test]
fn other_authorities_are_refused() {
    let long = format!("{}:80", "a.".repeat(127) + "aa");
    for text in [
        "",
        ":",
        ":80",
        "shop",
        "shop:",
        "shop:0",
        "shop:080",
        "shop:+80",
        "shop:65536",
        "shop: 80",
        "10.0.0.1",
        "10.0.0.256:80",
        "10.0.0:80",
        "1:80",
        "0x7f.1:80",
        "010.0.0.1:80",
        "fd00::1:80",
        "[fd00::1]",
        "[fd00::1%eth0]:80",
        "[10.0.0.1]:80",
        "[]:80",
        "user@shop:80",
        "shop/:80",
        "-shop:80",
        "shop-:80",
        "shop..x:80",
        ".shop:80",
        "shop.:80",
        "sh op:80",
        "shöp:80",
        &long,
    ] {
        assert_eq!(Authority::parse(text), None, "{text}");
    }
}

#[test]
fn forwarded_is_read_as_ztunnel_writes_it() {
    let parse = |text: &str| Forwarded::parse(text);
    let found = parse(r#"for="10.0.0.1:80";host=shop.default.svc.cluster.local"#).unwrap();
    assert_eq!(found.client, "10.0.0.1:80".parse().unwrap());
    assert_eq!(found.host.as_deref(), Some("shop.default.svc.cluster.local"));
    let found = parse(r#"proto=tcp;For="[fd00::1]:\80";by="a\"b""#).unwrap();
    assert_eq!(found.client, "[fd00::1]:80".parse().unwrap());
    for text in [
        "",
        "for",
        "for=",
        "for=10.0.0.1",
        r#"for="10.0.0.1""#,
        r#"for="10.0.0.1:80"#,
        "host=shop",
        r#"for="10.0.0.1:80",for="10.0.0.2:80""#,
        r#"for="10.0.0.1:80";for="10.0.0.2:80""#,
        r#"for="10.0.0.1:80";"#,
        r#"for="10.0.0.1:80" ;host=x"#,
        r#"for="shop:80""#,
        r#"for="10.0.0.1:80";host="a b""#,
    ] {
        assert_eq!(parse(text), None, "{text}");
    }
}

#[test]
fn baggage_is_read_as_far_as_it_is_known() {
    let text = "k8s.cluster.name=Kubernetes, k8s.namespace.name = default ;prop=1,k8s.deployment.\
                name=curl,service.name=curl%20a%2C,service.version=,cloud.region=%zz,x=y,\
                cloud.region=r1,cloud.region=r2,k8s.pod.name=late,broken,\
                cloud.availability_zone=a b";
    let baggage = Baggage::parse(text);
    let expected = Baggage {
        cluster: Some("Kubernetes".to_owned()),
        namespace: Some("default".to_owned()),
        workload: Some(("deployment".to_owned(), "curl".to_owned())),
        service: Some("curl a,".to_owned()),
        region: Some("r1".to_owned()),
        ..Baggage::default()
    };
    assert_eq!(baggage, expected);
    assert!(Baggage::parse(&format!("service.name={}", "x".repeat(257))).is_empty());
    assert!(Baggage::parse(&format!("service.name=x,{}", "y".repeat(9000))).is_empty());
    assert!(Baggage::parse(&format!("{}service.name=x", "a=b,".repeat(64))).is_empty());
}

#[test]
fn traces_are_of_version_00() {
    let valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    assert!(trace::is_valid(valid));
    assert!(trace::is_valid(&trace::fresh()));
    assert_ne!(trace::fresh(), trace::fresh());
    for text in [
        "",
        "00",
        &valid.replace("00-", "01-"),
        &valid.to_uppercase(),
        &format!("{valid}-00"),
        &valid.replace("4bf92f3577b34da6a3ce929d0e0e4736", "00000000000000000000000000000000"),
        &valid.replace("00f067aa0ba902b7", "0000000000000000"),
        &valid.replace("-01", "-1"),
    ] {
        assert!(!trace::is_valid(text), "{text}");
    }
}

/// A request as it comes.
fn asked(request: http::Request<()>) -> RequestHead {
    let (head, ()) = request.into_parts();
    RequestHead { method: head.method, target: head.uri, protocol: None, headers: head.headers }
}

#[test]
fn a_field_that_is_given_twice_is_not_there() {
    let identity = "spiffe://cluster.local/ns/default/sa/curl";
    let request = |twice: bool| {
        let builder = http::Request::connect("10.0.0.1:80").header("waypoint-client", identity);
        let builder = if twice { builder.header("waypoint-client", identity) } else { builder };
        asked(builder.header("waypoint-source", "curl").body(()).unwrap())
    };
    let once = read(&request(false)).unwrap();
    assert_eq!(once.client.as_deref(), SpiffeId::parse(identity).as_ref());
    assert_eq!(once.source, None);
    assert_eq!(read(&request(true)).unwrap().client, None);
}

#[test]
fn what_cannot_be_written_is_not_sent() {
    let identity = SpiffeId::new("cluster.local", "default", "a\nb");
    let address = "10.0.0.1:80".parse().unwrap();
    let connect = Connect { client: Some(identity.into()), ..Connect::to_address(address) };
    assert!(write(&connect).is_err());
    let nowhere = Authority::Host("a b".to_owned(), 80);
    assert!(write(&Connect::to(nowhere)).is_err());
}

fn addresses() -> impl Strategy<Value = SocketAddr> {
    (any::<IpAddr>(), 1_u16..).prop_map(|(ip, port)| SocketAddr::new(ip.to_canonical(), port))
}

fn value() -> impl Strategy<Value = Option<String>> {
    proptest::option::of("\\PC{1,50}")
}

proptest! {
    #[test]
    fn heads_are_read_as_they_were_written(
        to in addresses(),
        client in addresses(),
        name in proptest::option::of("[a-z]([a-z0-9-]{0,10}[a-z0-9])?(\\.[a-z]{1,5}){0,3}"),
        values in (value(), value(), value(), value(), value(), value()),
        kind in proptest::sample::select(vec!["deployment", "cronjob", "pod", "job"]),
    ) {
        let authority = match &name {
            Some(name) => Authority::Host(name.clone(), to.port()),
            None => Authority::Address(to),
        };
        let (cluster, workload, service, revision, region, zone) = values;
        let workload = workload.map(|name| (kind.to_owned(), name));
        let namespace = None;
        let baggage = Baggage { cluster, namespace, workload, service, revision, region, zone };
        let connect = Connect {
            forwarded: Some(Forwarded { client, host: name }),
            baggage,
            traceparent: Some(trace::fresh()),
            ..Connect::to(authority)
        };
        let written = write(&connect).unwrap();
        prop_assert_eq!(read(&asked(written)), Some(connect));
    }

    #[test]
    fn nothing_panics(text in "\\PC{0,80}") {
        if let Some(authority) = Authority::parse(&text) {
            prop_assert_eq!(Authority::parse(&authority.to_string()), Some(authority));
        }
        let _ = Forwarded::parse(&text);
        let baggage = Baggage::parse(&text);
        prop_assert_eq!(Baggage::parse(&baggage.to_string()), baggage);
    }
}
