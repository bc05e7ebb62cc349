//! The lab itself: pods reach each other, and nothing is left behind.

use std::{fs, path::Path};

use anyhow::Result;
use waypoint_tests::{
    lab::{Lab, LabBuilder, Namespace, Pod},
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
    let (name, node) = (lab.name().clone(), lab.node().path());
    drop(lab);
    assert!(!node.exists());
    assert!(!name.directory().exists());
    let namespaces = fs::read_dir("/run/netns")?.flatten();
    let prefix = name.of("");
    let left: Vec<_> = namespaces
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(Path::new("/run/netns").exists());
    Ok(())
});
