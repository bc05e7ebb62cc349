//! Hosts outside the cluster: a client of the mesh dials what a ServiceEntry says, and its waypoint
//! takes it there.
//!
//! Outside is a network namespace that no node knows as a pod's: only routes lead to its addresses.

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    thread,
};

use anyhow::{Context, Result, ensure};
use waypoint_tests::{
    lab::{Addresses, Lab, LabBuilder, Object, Pod, WaypointPod},
    story,
    story::two_nodes,
};

/// With the pod `outside` on the waypoint's node.
fn with_outside(lab: LabBuilder) -> LabBuilder {
    let outside = Pod::server("elsewhere", "outside", "outside").opted_out();
    two_nodes(lab).pod(outside.on_node("n2"))
}

/// Gives `outside` the addresses 198.18.0.10 and 2001:db8::10, to which only routes lead.
fn lead_outside(lab: &Lab) -> Result<()> {
    let outside = Addresses::of_pod(OUTSIDE, 2);
    lab.from("outside")
        .netns()?
        .ip(&format!("addr add {FAR4}/32 dev lo\naddr add {FAR6}/128 dev lo nodad\n"))?;
    let link = lab.link_of("outside")?;
    let near = format!(
        "route add 198.18.0.0/24 via {} dev {link} onlink\n\
         route add 2001:db8::/64 via {} dev {link} onlink\n",
        outside.v4, outside.v6
    );
    lab.node_named("n2")?.netns.ip(&near)?;
    let second = Addresses::on_underlay(2);
    let far = format!(
        "route add 198.18.0.0/24 via {}\nroute add 2001:db8::/64 via {}\n",
        second.v4, second.v6
    );
    lab.node_named("n1")?.netns.ip(&far)
}

/// The far address of the family that the story speaks.
fn far(lab: &Lab) -> Result<IpAddr> {
    let addresses = Addresses { v4: FAR4.parse()?, v6: FAR6.parse()? };
    Ok(addresses.of(lab.family()))
}

/// A ServiceEntry `api` of the host `api.example.test`, port 80 to 9080.
fn entry(addresses: &str, rest: &str) -> String {
    format!(
        "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: api, namespace: shop}}
spec:
  hosts: [api.example.test]
  addresses: [{addresses}]
  ports:
  - {{number: 80, name: http, protocol: HTTP, targetPort: 9080}}
  - {{number: 9080, name: http-far, protocol: HTTP}}
{rest}
"
    )
}

/// Sends a request to an address, which the waypoint must take to `outside`, by its host name.
fn visit(lab: &Lab, address: SocketAddr) -> Result<()> {
    let visit = lab.across(&lab.from("web").to_address(address), "waypoint")?;
    ensure!(visit.reply.status == 200, "{}", visit.reply.text());
    ensure!(visit.logged("upstream_cluster") == "inbound-vip|80|http|api.example.test");
    ensure!(visit.reply.text().contains("\"name\":\"outside\""), "{}", visit.reply.text());
    Ok(())
}

story!(a_listed_host_is_reached_through_the_waypoint, |lab| {
    let listed = format!(
        "  resolution: STATIC\n  endpoints: [{{address: {FAR4}}}, {{address: '{FAR6}'}}]\n"
    );
    let entry = entry("240.240.0.1, '2001:2::1'", &listed);
    let mut lab = with_outside(lab).file("api.yaml", &entry).start()?;
    lead_outside(&lab)?;
    let chosen = Addresses { v4: "240.240.0.1".parse()?, v6: "2001:2::1".parse()? };
    let api = SocketAddr::new(chosen.of(lab.family()), 80);
    visit(&lab, api)?;
    lab.apply("guard.yaml", GUARD)?;
    let web = lab.from("web");
    let refused = lab.across(&web.to_address(api).path("/secret"), "waypoint")?;
    assert_eq!((refused.reply.status, refused.reply.text().as_str()), (403, "RBAC: access denied"));
    visit(&lab, api)
});

story!(a_route_of_a_host_outside_decides_there_too, |lab| {
    let listed = format!(
        "  resolution: STATIC\n  endpoints: [{{address: {FAR4}}}, {{address: '{FAR6}'}}]\n"
    );
    let entry = entry("240.240.0.1, '2001:2::1'", &listed);
    let lab = with_outside(lab).file("api.yaml", &entry).file("route.yaml", ROUTE).start()?;
    lead_outside(&lab)?;
    let chosen = Addresses { v4: "240.240.0.1".parse()?, v6: "2001:2::1".parse()? };
    let api = SocketAddr::new(chosen.of(lab.family()), 80);
    visit(&lab, api)?;
    let old = lab.across(&lab.from("web").to_address(api).path("/old/price"), "waypoint")?;
    assert_eq!(old.reply.status, 308);
    assert_eq!(old.logged("route_name"), "shop.api.1");
    Ok(())
});

story!(what_is_in_a_range_is_reached_where_it_was_addressed, |lab| {
    // The range holds the pods as well: those stay their own.
    let entry = entry("198.18.0.0/24, '2001:db8::/64', 10.77.0.0/16, 'fd77::/16'", ORIGINAL);
    let mut lab = with_outside(lab).file("api.yaml", &entry).start()?;
    lead_outside(&lab)?;
    let far = SocketAddr::new(far(&lab)?, 9080);
    let visit = lab.across(&lab.from("web").to_address(far), "waypoint")?;
    assert_eq!(visit.reply.status, 200, "{}", visit.reply.text());
    assert_eq!(visit.logged("upstream_cluster"), "inbound-vip|9080|http|api.example.test");
    assert_eq!(visit.logged("upstream_host"), far.to_string());
    let is_told = |line: &serde_json::Value| line["message"] == "connection complete";
    lab.agent_of("web")?.wait_for_line("of the visit's connection", 0, is_told)?;
    lab.left_alone(&lab.from("web").to_pod("outside"))?;
    // Another port is nobody's, and without the entry all of it is left alone.
    lab.withdraw("api.yaml")?;
    assert_eq!(lab.left_alone(&lab.from("web").to_address(far))?.status, 200);
    Ok(())
});

story!(a_host_is_looked_up_by_its_waypoint, |lab| {
    let name_server = SocketAddr::new(Addresses::of_pod(OUTSIDE, 2).v4.into(), 53).to_string();
    let entry = entry("240.240.0.1, '2001:2::1'", "  resolution: DNS\n");
    let waypoint = WaypointPod::of("shop", "waypoint").on_node("n2");
    let waypoint = waypoint.arguments(["--dns-server", &name_server]);
    // In this order, as the name server's address is the pod's number.
    let outside = Pod::server("elsewhere", "outside", "outside").opted_out().on_node("n2");
    let lab = two_nodes(lab).pod(waypoint).pod(outside).file("api.yaml", &entry).start()?;
    lead_outside(&lab)?;
    serve_names(&lab)?;
    let chosen = Addresses { v4: "240.240.0.1".parse()?, v6: "2001:2::1".parse()? };
    visit(&lab, SocketAddr::new(chosen.of(lab.family()), 80))?;
    let lookups = lab.waypoint("waypoint")?.metrics()?;
    let found = lookups.sum("waypoint_dns_lookups_total", &[("result", "found")]);
    ensure!(found >= 1.0, "{found} names found");
    Ok(())
});

/// A name server in `outside`, which knows one host: the far addresses.
fn serve_names(lab: &Lab) -> Result<()> {
    let bind = || UdpSocket::bind(("0.0.0.0", 53)).context("bind port 53");
    let socket = lab.from("outside").netns()?.within(bind)?;
    thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((length, client)) = socket.recv_from(&mut buffer) {
            let Some(answer) = buffer.get(..length).and_then(answer) else { continue };
            if socket.send_to(&answer, client).is_err() {
                return;
            }
        }
    });
    Ok(())
}

/// The answer to a question (RFC 1035 section 4): the far address of the family that it asks for.
fn answer(query: &[u8]) -> Option<Vec<u8>> {
    let name = query.get(12..)?;
    let end = 12 + name.iter().position(|byte| *byte == 0)? + 5;
    let address: Vec<u8> = match query.get(end - 3)? {
        1 => FAR4.parse::<std::net::Ipv4Addr>().ok()?.octets().to_vec(),
        28 => FAR6.parse::<std::net::Ipv6Addr>().ok()?.octets().to_vec(),
        _ => return None,
    };
    let known = query.get(12..end)?.starts_with(b"\x03api\x07example\x04test\x00");
    let (code, answers) = if known { (0x80, 1) } else { (0x83, 0) };
    let id = [*query.first()?, *query.get(1)?];
    let mut answer = [&id[..], &[0x81, code, 0, 1, 0, answers, 0, 0, 0, 0]].concat();
    answer.extend(query.get(12..end)?);
    if known {
        let length = u8::try_from(address.len()).ok()?;
        answer.extend([0xc0, 12, 0, *query.get(end - 3)?, 0, 1, 0, 0, 0, 60, 0, length]);
        answer.extend(address);
    }
    Some(answer)
}

/// Leads requests to the entry's host, but for some that it redirects.
const ROUTE: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: api, namespace: shop}
spec:
  parentRefs:
  - {group: networking.istio.io, kind: ServiceEntry, name: api}
  rules:
  - backendRefs:
    - {group: networking.istio.io, kind: Hostname, name: api.example.test, port: 80}
  - matches:
    - path: {value: /old}
    filters:
    - type: RequestRedirect
      requestRedirect: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /new}, statusCode: 308}
";

/// Of the pods of [`with_outside`] it is the fourth.
const OUTSIDE: u8 = 4;
const FAR4: &str = "198.18.0.10";
const FAR6: &str = "2001:db8::10";
const ORIGINAL: &str = "  resolution: NONE\n";
const GUARD: &str = "
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: guard, namespace: shop}
spec:
  targetRefs: [{group: networking.istio.io, kind: ServiceEntry, name: api}]
  action: DENY
  rules: [{to: [{operation: {paths: [/secret]}}]}]
";
