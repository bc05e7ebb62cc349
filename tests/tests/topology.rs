//! The lab itself: pods reach each other, and nothing is left behind.

use std::fs;

use anyhow::Result;
use waypoint_tests::{
    lab::{
        Lab, LabBuilder, Name, Namespace, Pod, Service, capture::HBONE_PORT, object::SERVER_PORT,
    },
    story,
};

fn two_pods(lab: LabBuilder) -> LabBuilder {
    lab.without_agent()
        .namespace(Namespace::new("shop"))
        .pod(Pod::new("shop", "web"))
        .pod(Pod::server("shop", "reviews-v1", "reviews"))
}

fn web_reaches_reviews(lab: &Lab) -> Result<()> {
    let reply = lab.from("web").to_pod("reviews-v1").path("/a?b=c").send()?;
    assert_eq!(reply.says("name")?, "reviews-v1");
    assert_eq!(reply.says("path")?, "/a?b=c");
    assert_eq!(reply.server_saw_peer()?, lab.pod_address("web")?.ip());
    Ok(())
}

story!(routed_pods_reach_each_other, |lab| web_reaches_reviews(&two_pods(lab).start()?));

story!(bridged_pods_reach_each_other, |lab| web_reaches_reviews(&two_pods(lab).bridged().start()?));

story!(the_node_reaches_a_pod, |lab| {
    let lab = two_pods(lab).start()?;
    assert_eq!(lab.from_node().to_pod("reviews-v1").send()?.status, 200);
    Ok(())
});

story!(a_pod_made_again_has_the_same_address, |lab| {
    let mut lab = two_pods(lab).start()?;
    lab.recreate_pod("reviews-v1")?;
    web_reaches_reviews(&lab)
});

story!(a_lab_leaves_nothing_behind, |lab| {
    let lab = two_pods(lab).start()?;
    let name = lab.name().clone();
    assert!(lab.node().path().exists());
    drop(lab);
    leaves_nothing(&name)
});

/// Namespaces, manifests and logs of a lab are gone.
fn leaves_nothing(name: &Name) -> Result<()> {
    assert!(!name.directory().exists());
    let namespaces = fs::read_dir("/run/netns")?.flatten();
    let prefix = name.of("");
    let left: Vec<_> = namespaces
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    Ok(())
}

/// Three nodes; `reviews-v1` is on the second, `reviews-v3` on the third.
fn three_nodes(lab: LabBuilder) -> LabBuilder {
    two_pods(lab)
        .nodes(["n1", "n2", "n3"])
        .pod(Pod::server("shop", "reviews-v1", "reviews").on_node("n2"))
        .pod(Pod::server("shop", "reviews-v3", "reviews").on_node("n3"))
        .service(Service::new("shop", "reviews"))
}

story!(pods_of_two_nodes_reach_each_other, |lab| web_reaches_reviews(&three_nodes(lab).start()?));

story!(bridged_pods_of_two_nodes_reach_each_other, |lab| {
    let lab = three_nodes(lab).bridged().start()?;
    web_reaches_reviews(&lab)?;
    let reply = lab.from("reviews-v1").to_pod("reviews-v3").send()?;
    assert_eq!(reply.server_saw_peer()?, lab.pod_address("reviews-v1")?.ip());
    Ok(())
});

story!(a_node_reaches_pods_of_every_node, |lab| {
    let lab = three_nodes(lab).start()?;
    for node in ["n1", "n2", "n3"] {
        let reply = lab.from_node_named(node).to_pod("reviews-v1").send()?;
        let own = lab.node_named(node)?.addresses.of(lab.family());
        assert_eq!(reply.server_saw_peer()?, own, "{node}");
    }
    Ok(())
});

story!(the_underlay_is_seen_and_a_node_s_own_links_are_not, |lab| {
    let lab = three_nodes(lab).pod(Pod::server("shop", "near", "near")).start()?;
    let seen = lab.capture_underlay()?;
    lab.from("web").to_pod("near").header("x-secret", "neighbours").send()?;
    lab.from("web").to_pod("reviews-v1").header("x-secret", "strangers").send()?;
    let frames = seen.finish_after(|frames| frames.hold(b"strangers"))?;
    assert!(frames.hold(b"strangers"));
    assert!(!frames.hold(b"neighbours"));
    assert!(frames.use_port(SERVER_PORT));
    assert!(!frames.use_port(HBONE_PORT));
    Ok(())
});

story!(a_lab_of_several_nodes_leaves_nothing_behind, |lab| {
    let lab = three_nodes(lab).start()?;
    let name = lab.name().clone();
    drop(lab);
    leaves_nothing(&name)
});
