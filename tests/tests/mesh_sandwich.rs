//! A waypoint for which the agent of its node terminates HBONE, and which learns of its clients by
//! PROXY headers.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use anyhow::Result;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use tokio::runtime::Builder;
use waypoint_tests::{
    lab::{
        Gateway, Lab, LabBuilder, Object, Pod, WaypointPod,
        wait::{self, SOON},
    },
    story,
    story::two_nodes,
    wire::{
        tls,
        tunnel::{Connection, PORT},
    },
};
use waypoint_user::hbone::proxy_protocol::Told;

/// With a waypoint that has its HBONE terminated, and a second client.
fn sandwiched(lab: LabBuilder) -> LabBuilder {
    let gateway = Gateway::new("shop", "waypoint")
        .annotation("ambient.istio.io/waypoint-inbound-binding", "PROXY/15088");
    let pod = WaypointPod::of("shop", "waypoint").on_node("n2");
    two_nodes(lab)
        .gateway(gateway)
        .pod(pod.arguments(["--listen-proxy-protocol", "15088"]))
        .pod(Pod::new("shop", "mobile"))
}

story!(a_waypoint_behind_its_agent_knows_its_clients, |lab| {
    let lab = sandwiched(lab).file("no-mobile.yaml", DENY_MOBILE).start()?;
    let agent = lab.agent_on("n2")?;
    let lines = agent.access_log()?.len();
    let visit = lab.across(&lab.from("web").to("reviews").path("/told"), "waypoint")?;
    assert_eq!(visit.reply.status, 200);
    assert_eq!(visit.logged("source_workload"), "shop/web");
    assert_eq!(visit.logged("source_principal"), lab.identity_of("web")?);
    let remote: SocketAddr = visit.logged("downstream_remote_address").parse()?;
    assert_eq!(remote.ip(), lab.pod_address("web")?.ip());
    let dialled = visit.logged("downstream_local_address");
    assert_eq!(dialled, lab.service_address("reviews")?.to_string());
    // The waypoint's agent terminated it, and the waypoint itself no HBONE.
    assert!(lab.waypoint("waypoint")?.metrics()?.sum("waypoint_tunnels", &[]) < 1.0);
    assert_eq!(lab.across(&lab.from("mobile").to("reviews"), "waypoint")?.reply.status, 403);
    // The stream ends with the client's connection.
    agent.wait_for_line("the waypoint's stream", lines, |line| {
        line["direction"] == "inbound"
            && line["dst.workload"] == "waypoint"
            && line["src.workload"] == "web"
    })?;
    Ok(())
});

story!(a_waypoint_behind_its_agent_serves_a_mesh_in_which_everything_is_captured, |lab| {
    let lab = sandwiched(lab).agent_arguments(["--capture", "mesh"]).start()?;
    let visit = lab.across(&lab.from("web").to("reviews"), "waypoint")?;
    assert_eq!(visit.logged("source_workload"), "shop/web");
    assert!(lab.waypoint("waypoint")?.metrics()?.sum("waypoint_tunnels", &[]) < 1.0);
    // Both tunnels ended at the agent, and what the waypoint opened was not captured before.
    let kernel = lab.agent_on("n2")?.metrics()?;
    let packets = |reason| kernel.sum("waypoint_kernel_packets_total", &[("reason", reason)]);
    assert!(packets("captured") < 1.0 && packets("inbound") > 1.0);
    Ok(())
});

/// Where the waypoint takes connections behind headers.
fn door(lab: &Lab) -> Result<SocketAddr> {
    let mut address = lab.pod_address("waypoint")?;
    address.set_port(15088);
    Ok(address)
}

/// Waits until the waypoint has closed so many connections that it did not believe.
fn disbelieves(lab: &Lab, what: &str, number: u32) -> Result<()> {
    let labels = [("limit", "proxy_headers")];
    wait::until_true(what, SOON, || {
        let metrics = lab.waypoint("waypoint")?.metrics()?;
        let closed = metrics.sum("waypoint_limit_hits_total", &labels);
        Ok((closed - f64::from(number)).abs() < f64::EPSILON)
    })
}

/// Speaks to the waypoint's port from the pod `mobile`, in plaintext, to the end.
fn knock(lab: &Lab, bytes: &[u8]) -> Result<String> {
    let address = door(lab)?;
    lab.from("mobile").netns()?.within(|| {
        let mut stream = TcpStream::connect_timeout(&address, SOON)?;
        stream.set_read_timeout(Some(SOON))?;
        // A reset may win over what is written.
        let _written = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _reset = stream.read_to_end(&mut answer);
        Ok(String::from_utf8_lossy(&answer).into_owned())
    })
}

/// A request behind a header that tells of a pod.
fn claim(lab: &Lab, address_of: &str, identity_of: &str) -> Result<Vec<u8>> {
    let told = Told {
        source: SocketAddr::new(lab.pod_address(address_of)?.ip(), 4711),
        destination: lab.service_address("reviews")?,
        identity: Some(lab.identity_of(identity_of)?),
    };
    Ok([told.header(), GET.to_vec()].concat())
}

story!(whoever_writes_a_header_himself_can_be_nobody_else, |lab| {
    let lab = sandwiched(lab).start()?;
    lab.across(&lab.from("web").to("reviews"), "waypoint")?;
    let mut too_long = claim(&lab, "mobile", "mobile")?;
    too_long[14..16].fill(0xFF);
    let lies = [
        ("web's identity", claim(&lab, "mobile", "web")?),
        ("web's address", claim(&lab, "web", "web")?),
        ("no header", GET.to_vec()),
        ("too long", too_long),
    ];
    for ((what, bytes), number) in lies.into_iter().zip(1..) {
        assert_eq!(knock(&lab, &bytes)?, "", "{what}");
        disbelieves(&lab, what, number)?;
    }
    assert_eq!(lab.waypoint("waypoint")?.access_log()?.len(), 1);
    lab.across(&lab.from("mobile").to("reviews"), "waypoint")?;
    Ok(())
});

story!(a_header_in_a_tunnel_comes_after_the_agents_own, |lab| {
    let lab = sandwiched(lab).start()?;
    let waypoint = lab.waypoint("waypoint")?;
    let proof = lab.authority()?.impostor()?.issue(&lab.identity_of("mobile")?)?;
    let config = tls::client(&proof, tls::H2, &lab.identity_of("waypoint")?)?;
    let port = door(&lab)?;
    let lie = claim(&lab, "web", "web")?;
    lab.from("mobile").netns()?.within(|| {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let tcp = tokio::net::TcpStream::connect(SocketAddr::new(port.ip(), PORT)).await?;
            let mut connection = Connection::dial(tcp, config).await?;
            let mut stream = connection.connect(&port.to_string(), HeaderMap::new()).await?;
            // It ends in a reset, which may come first.
            let _sent = stream.send(Bytes::from(lie)).await;
            let mut answer = BytesMut::new();
            while stream.receive(&mut answer).await.unwrap_or_default() {}
            assert!(answer.is_empty(), "{answer:?}");
            Ok(())
        })
    })?;
    // What was asked for is the port itself, which is bound to nobody.
    let line = waypoint.wait_for_line("refused", 0, |line| line["response_flags"] == "NR")?;
    assert_eq!(line["source_workload"], "shop/mobile");
    assert_eq!(line["downstream_local_address"], port.to_string());
    assert_eq!(waypoint.access_log()?.len(), 1);
    Ok(())
});

story!(a_strict_waypoint_takes_headers_of_its_agent_only, |lab| {
    let lab = sandwiched(lab).file("strict.yaml", STRICT).start()?;
    lab.across(&lab.from("mobile").to("reviews"), "waypoint")?;
    let truth = claim(&lab, "mobile", "mobile")?;
    assert!(knock(&lab, &truth).is_err());
    assert_eq!(lab.waypoint("waypoint")?.access_log()?.len(), 1);
    Ok(())
});

const GET: &[u8] = b"GET /lie HTTP/1.1\r\nhost: reviews\r\nconnection: close\r\n\r\n";

const STRICT: &str = "
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: shop}
spec:
  mtls: {mode: STRICT}
";

const DENY_MOBILE: &str = "
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-mobile, namespace: shop}
spec:
  targetRefs:
  - {group: gateway.networking.k8s.io, kind: Gateway, name: waypoint}
  action: DENY
  rules:
  - from:
    - source: {principals: [cluster.local/ns/shop/sa/mobile]}
";
