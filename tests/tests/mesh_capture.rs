//! Pods of enrolled namespaces speak to each other by mutual TLS without any waypoint: capture mode
//! `mesh`; and who is let in at the destination.

use anyhow::Result;
use waypoint_tests::{
    lab::{
        Lab, LabBuilder, Object, Pod, Service,
        capture::HBONE_PORT,
        object::{ADMISSION, SERVER_PORT},
        wait::{self, SOON},
    },
    story,
    story::{shop, two_nodes},
};

/// Two nodes on which everything enrolled is carried, and nothing has a waypoint.
fn carried(lab: LabBuilder) -> LabBuilder {
    shop(lab)
        .nodes(["n1", "n2"])
        .agent_arguments(["--capture", "mesh"])
        .pod(Pod::server("shop", "reviews-v1", "reviews").on_node("n2"))
}

story!(pods_of_two_nodes_speak_by_mutual_tls_without_a_waypoint, |lab| {
    let lab = carried(lab).pod(Pod::new("shop", "stranger").opted_out()).start()?;
    let seen = lab.capture_underlay()?;
    let client = lab.pod_address("web")?.ip();
    for call in [lab.from("web").to("reviews"), lab.from("web").to_pod("reviews-v1")] {
        let reply = call.header("x-secret", "hidden-one").send()?;
        assert_eq!(reply.says("name")?, "reviews-v1");
        // The application sees its client's address, although it was dialled on its own node.
        assert_eq!(reply.server_saw_peer()?, client);
        assert_eq!(reply.server_got("x-request-id")?, None, "{}", reply.text());
    }
    lab.from("stranger").to_pod("reviews-v1").header("x-secret", "shown-one").send()?;
    let frames = seen.finish_after(|frames| frames.hold(b"shown-one"))?;
    assert!(frames.use_port(HBONE_PORT));
    assert!(!frames.hold(b"hidden-one"));
    Ok(())
});

story!(without_a_waypoint_a_destination_judges_the_client_itself, |lab| {
    let lab = carried(lab)
        .pod(Pod::new("shop", "mobile"))
        .file("guard.yaml", ONLY_WEB_BY_PEER)
        .start()?;
    assert_eq!(lab.from("web").to("reviews").send()?.status, 200);
    lab.cut_off(&lab.from("mobile").to("reviews"))?;
    assert_eq!(lab.from("web").to_pod("reviews-v1").send()?.status, 200);
    lab.cut_off(&lab.from("mobile").to_pod("reviews-v1"))
});

story!(what_is_not_enrolled_is_reached_in_plaintext_in_every_mode, |lab| {
    let plain = Pod::server("shop", "ratings-v1", "ratings").on_node("n2").opted_out();
    let lab = carried(lab).pod(plain).service(Service::new("shop", "ratings")).start()?;
    let seen = lab.capture_underlay()?;
    let reply = lab.from("web").to("ratings").header("x-secret", "shown-one").send()?;
    assert_eq!(reply.says("name")?, "ratings-v1");
    let frames = seen.finish_after(|frames| frames.hold(b"shown-one"))?;
    assert!(frames.use_port(SERVER_PORT));
    Ok(())
});

/// A lab whose Service asks for an admission.
fn admitting(lab: LabBuilder, mode: &str) -> LabBuilder {
    let service = Service::new("shop", "reviews").annotation(ADMISSION, mode);
    two_nodes(lab).pod(Pod::new("shop", "stranger").opted_out()).service(service)
}

story!(a_strict_destination_refuses_who_passes_its_waypoint_by, |lab| {
    let lab = admitting(lab, "strict").start()?;
    lab.across(&lab.from("web").to("reviews"), "waypoint")?;
    for bypass in ["stranger", "web"] {
        lab.cut_off(&lab.from(bypass).to_pod("reviews-v1"))?;
    }
    // Its own node's probes are no bypass.
    assert_eq!(lab.from_node_named("n2").to_pod("reviews-v1").send()?.status, 200);
    lab.across(&lab.from("web").to("reviews"), "waypoint")?;
    Ok(())
});

story!(a_counting_destination_admits_who_passes_its_waypoint_by, |lab| {
    let lab = admitting(lab, "count").start()?;
    lab.across(&lab.from("web").to("reviews"), "waypoint")?;
    assert!(bypassing(&lab)? < 1.0);
    assert_eq!(lab.from("stranger").to_pod("reviews-v1").send()?.status, 200);
    wait::until_true("a counted bypass", SOON, || Ok(bypassing(&lab)? >= 1.0))?;
    Ok(())
});

/// Connections that the server's agent saw passing its waypoint by.
fn bypassing(lab: &Lab) -> Result<f64> {
    let metrics = lab.agent_of("reviews-v1")?.metrics()?;
    Ok(metrics.sum("waypoint_bypass_connections_total", &[]))
}

const ONLY_WEB_BY_PEER: &str = "
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: only-web, namespace: shop}
spec:
  selector: {matchLabels: {app: reviews}}
  action: ALLOW
  rules:
  - from:
    - source: {principals: [cluster.local/ns/shop/sa/web]}
";
