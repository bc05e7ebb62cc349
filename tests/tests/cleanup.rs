//! `waypointd cleanup` leaves nothing on the host.

use std::{collections::BTreeMap, fs};

use anyhow::{Context, Result};
use waypoint_tests::{
    lab::{
        Lab,
        wait::{self, SOON},
    },
    story,
    story::{shop, shop_behind_waypoint},
};

/// Everything on the node that an agent may touch.
fn traces(lab: &Lab) -> Result<BTreeMap<&'static str, String>> {
    let node = lab.node();
    let (pins, run) = (lab.name().pin_dir(), lab.name().run_dir());
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let run_text = run.display().to_string();
    let mounted: Vec<_> = mounts.lines().filter(|line| line.contains(&run_text)).collect();
    Ok(BTreeMap::from([
        ("links", node.run("ip", &["-br", "link"])?),
        ("addresses", node.run("ip", &["-br", "address"])?),
        ("routes", node.run("ip", &["route", "show", "table", "all"])?),
        ("IPv6 routes", node.run("ip", &["-6", "route", "show", "table", "main"])?),
        ("rules", node.run("ip", &["rule"])?),
        ("IPv6 rules", node.run("ip", &["-6", "rule"])?),
        ("qdiscs", node.run("tc", &["qdisc"])?),
        ("nftables", node.run("nft", &["list", "ruleset"])?),
        ("namespace ids", node.run("ip", &["netns", "list-id"])?),
        ("pins", pins.exists().to_string()),
        ("run directory", run.exists().to_string()),
        ("mounts", mounted.join("\n")),
    ]))
}

/// The kernel takes network namespaces apart in its own time, after their last file is gone.
fn becomes_as_before(lab: &Lab, before: &BTreeMap<&'static str, String>) -> Result<()> {
    let mut differences = Vec::new();
    let same = wait::until_true("a node as it was before", SOON, || {
        let now = traces(lab)?;
        differences =
            now.into_iter().filter(|(kind, text)| before.get(kind) != Some(text)).collect();
        Ok(differences.is_empty())
    });
    same.with_context(|| format!("left: {differences:#?}"))
}

story!(cleanup_after_a_graceful_end_leaves_nothing, |lab| {
    let mut lab = shop_behind_waypoint(lab).without_agent().start()?;
    let before = traces(&lab)?;
    lab.start_agent()?;
    lab.through_waypoint(&lab.from("web").to("reviews"))?;
    lab.stop_agent()?;
    assert_ne!(traces(&lab)?, before, "an agent leaves its pins");
    lab.cleanup()?;
    becomes_as_before(&lab, &before)
});

story!(cleanup_after_a_kill_leaves_nothing, |lab| {
    let mut lab = shop_behind_waypoint(lab).without_agent().start()?;
    let before = traces(&lab)?;
    lab.start_agent()?;
    lab.through_waypoint(&lab.from("web").to("reviews"))?;
    lab.kill_agent()?;
    let removed = lab.cleanup()?;
    assert!(!removed.is_empty(), "cleanup says what it removed");
    becomes_as_before(&lab, &before)?;
    lab.cleanup()?;
    becomes_as_before(&lab, &before)
});

story!(after_cleanup_an_agent_starts_afresh, |lab| {
    let mut lab = shop(lab).start()?;
    lab.kill_agent()?;
    lab.cleanup()?;
    lab.resume_agent()?;
    lab.direct(&lab.from("web").to("reviews"))?;
    lab.label("Namespace", "shop", "istio.io/use-waypoint", "waypoint")?;
    lab.through_waypoint(&lab.from("web").to("reviews"))?;
    Ok(())
});
