//! A request from one node to another: the way it takes, what is seen on it, and who is told of
//! whom.

use anyhow::{Result, ensure};
use waypoint_tests::{
    lab::{
        Gateway, Lab, LabBuilder, Object, Pod, Service, Visit, WaypointPod, capture::HBONE_PORT,
        object::SERVER_PORT,
    },
    story,
    story::{mesh, two_nodes},
};

/// The waypoint knew the client, and told the server who it is.
fn knows_web(lab: &Lab, visit: &Visit) -> Result<()> {
    let (web, address) = (lab.identity_of("web")?, lab.pod_address("web")?.ip());
    ensure!(visit.reply.status == 200, "{}", visit.line);
    ensure!(visit.logged("source_workload") == "shop/web", "{}", visit.line);
    let told = visit.reply.server_got("x-forwarded-client-cert")?.unwrap_or_default();
    ensure!(told.contains(&format!("URI={web}")), "the server was told: {told}");
    let forwarded = visit.reply.server_got("x-forwarded-for")?;
    ensure!(forwarded == Some(address.to_string()), "the server was told: {forwarded:?}");
    Ok(())
}

fn crosses(lab: LabBuilder, waypoint_on: &str) -> Result<()> {
    let lab = mesh(lab, waypoint_on).start()?;
    let visit = lab.across(&lab.from("web").to("reviews").path("/crossing?a=b"), "waypoint")?;
    assert_eq!(visit.reply.says("name")?, "reviews-v1");
    assert_eq!(visit.reply.says("path")?, "/crossing?a=b");
    knows_web(&lab, &visit)
}

story!(a_request_crosses_two_nodes_with_the_waypoint_beside_the_server, |lab| crosses(lab, "n2"));

story!(a_request_crosses_two_nodes_with_the_waypoint_beside_the_client, |lab| crosses(lab, "n1"));

story!(a_request_crosses_two_nodes_with_the_waypoint_on_a_third, |lab| crosses(lab, "n3"));

story!(a_request_stays_on_its_node_where_everything_is, |lab| {
    let lab = mesh(lab, "n1").pod(Pod::server("shop", "reviews-v1", "reviews")).start()?;
    let seen = lab.capture_underlay()?;
    let visit = lab.across(&lab.from("web").to("reviews"), "waypoint")?;
    knows_web(&lab, &visit)?;
    // Proves that the capture was at work.
    lab.from_node_named("n2").to_pod("reviews-v1").header("x-secret", "from-outside").send()?;
    let frames = seen.finish_after(|frames| frames.hold(b"from-outside"))?;
    assert!(!frames.use_port(HBONE_PORT));
    Ok(())
});

story!(pods_on_bridges_cross_nodes_too, |lab| {
    let lab = two_nodes(lab).bridged().start()?;
    let visit = lab.across(&lab.from("web").to("reviews"), "waypoint")?;
    knows_web(&lab, &visit)
});

story!(the_wire_between_nodes_holds_no_plaintext, |lab| {
    let lab = mesh(lab, "n3").pod(Pod::new("shop", "stranger").opted_out()).start()?;
    let seen = lab.capture_underlay()?;
    let call = lab.from("web").to("reviews").path("/secret-path").header("x-secret", "hidden-one");
    lab.across(&call, "waypoint")?;
    // What the mesh does not carry is seen, so the capture would have seen the rest.
    lab.from("stranger").to_pod("reviews-v1").header("x-secret", "shown-one").send()?;
    let frames = seen.finish_after(|frames| frames.hold(b"shown-one"))?;
    assert!(frames.use_port(HBONE_PORT));
    for secret in ["hidden-one", "secret-path", "\"name\":\"reviews-v1\",\"path\":\"/secret"] {
        assert!(!frames.hold(secret.as_bytes()), "{secret} went over the wire");
    }
    Ok(())
});

story!(only_bound_destinations_leave_the_node_by_hbone, |lab| {
    let lab = two_nodes(lab)
        .pod(Pod::server("shop", "ratings-v1", "ratings").on_node("n2"))
        .service(Service::new("shop", "ratings").uses("none"))
        .start()?;
    lab.left_alone(&lab.from("web").to("ratings"))?;
    lab.left_alone(&lab.from("web").to_pod("reviews-v1"))?;
    lab.across(&lab.from("web").to("reviews"), "waypoint")?;
    Ok(())
});

story!(a_client_that_forges_its_identity_is_corrected, |lab| {
    let lab = two_nodes(lab).start()?;
    let call = lab.from("web").to("reviews");
    let admin =
        "By=spiffe://cluster.local/ns/shop/sa/x;URI=spiffe://cluster.local/ns/shop/sa/admin";
    let call = call.header("x-forwarded-client-cert", admin).header("x-forwarded-for", "1.2.3.4");
    let reply = lab.across(&call, "waypoint")?.reply;
    let told = reply.server_got("x-forwarded-client-cert")?.unwrap_or_default();
    assert!(!told.contains("admin"), "{told}");
    assert!(told.contains(&lab.identity_of("web")?), "{told}");
    let forwarded = reply.server_got("x-forwarded-for")?.unwrap_or_default();
    assert!(forwarded.ends_with(&lab.pod_address("web")?.ip().to_string()), "{forwarded}");
    Ok(())
});

story!(a_destination_outside_the_mesh_is_reached_in_plaintext, |lab| {
    let lab = two_nodes(lab)
        .pod(Pod::server("shop", "reviews-v1", "reviews").on_node("n1").opted_out())
        .start()?;
    let seen = lab.capture_underlay()?;
    lab.across(&lab.from("web").to("reviews").header("x-secret", "shown-after"), "waypoint")?;
    let frames = seen.finish_after(|frames| frames.hold(b"shown-after"))?;
    assert!(frames.use_port(SERVER_PORT));
    assert!(frames.use_port(HBONE_PORT));
    Ok(())
});

story!(two_clients_of_one_node_are_told_apart, |lab| {
    let lab = two_nodes(lab).pod(Pod::new("shop", "mobile")).start()?;
    for client in ["web", "mobile", "web"] {
        let reply = lab.across(&lab.from(client).to("reviews"), "waypoint")?.reply;
        let told = reply.server_got("x-forwarded-client-cert")?.unwrap_or_default();
        assert!(told.contains(&format!("URI={}", lab.identity_of(client)?)), "{client}: {told}");
    }
    Ok(())
});

story!(a_waypoint_serves_clients_of_every_node, |lab| {
    let lab = mesh(lab, "n3")
        .pod(Pod::new("shop", "second").on_node("n2"))
        .pod(Pod::new("shop", "third").on_node("n3"))
        .start()?;
    for client in ["web", "second", "third"] {
        let visit = lab.across(&lab.from(client).to("reviews"), "waypoint")?;
        assert_eq!(visit.logged("source_workload"), format!("shop/{client}"));
    }
    Ok(())
});

story!(two_waypoints_each_serve_their_own, |lab| {
    let lab = two_nodes(lab)
        .gateway(Gateway::new("shop", "special"))
        .pod(WaypointPod::of("shop", "special").on_node("n1"))
        .pod(Pod::server("shop", "ratings-v1", "ratings").on_node("n2"))
        .service(Service::new("shop", "ratings").uses("special"))
        .start()?;
    let visit = lab.across(&lab.from("web").to("ratings"), "special")?;
    assert_eq!(visit.logged("waypoint"), "shop/special");
    let visit = lab.across(&lab.from("web").to("reviews"), "waypoint")?;
    assert_eq!(visit.logged("waypoint"), "shop/waypoint");
    Ok(())
});
