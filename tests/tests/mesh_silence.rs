//! A waypoint that nobody hears of any more, as when its node is gone: its address answers nothing,
//! not even that nobody is there. How long its clients wait for it, and for what they do not.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use waypoint_tests::{
    lab::{
        Lab, LabBuilder, WaypointPod,
        wait::{self, SOON},
    },
    story,
    story::mesh,
};

/// With a client, a server and the waypoint on a node each.
fn apart(lab: LabBuilder) -> LabBuilder {
    mesh(lab, "n3")
}

/// Drops whatever reaches a pod.
fn silence(lab: &Lab, pod: &str) -> Result<()> {
    let hole = "table inet hole { chain hole { type filter hook prerouting priority -300; \
                policy drop; }; }";
    lab.from(pod).run("nft", &[hole]).map(drop)
}

/// Well below every timeout, and above what a busy machine needs.
const AT_ONCE: Duration = Duration::from_secs(2);

story!(a_waypoint_that_fell_silent_costs_its_clients_a_moment_while_another_is_there, |lab| {
    let other = WaypointPod::of("shop", "waypoint").named("waypoint-b").on_node("n2");
    let lab = apart(lab).pod(other).start()?;
    for _ in 0..4 {
        assert_eq!(lab.from("web").to("reviews").send()?.status, 200);
    }
    silence(&lab, "waypoint")?;
    for _ in 0..8 {
        let start = Instant::now();
        assert_eq!(lab.from("web").to("reviews").send()?.status, 200);
        ensure!(start.elapsed() < AT_ONCE, "took {:?}", start.elapsed());
    }
    Ok(())
});

/// A connection that waits for the silent waypoint, while the mesh changes; how it ends, and after
/// how long.
fn overtaken(lab: &mut Lab, change: impl FnOnce(&mut Lab) -> Result<()>) -> Result<Result<u16>> {
    lab.across(&lab.from("web").to("reviews"), "waypoint")?;
    silence(lab, "waypoint")?;
    let call = lab.from("web").to("reviews");
    let request = call.request().clone();
    let mut waiting = call.open()?;
    waiting.send(&request)?;
    let start = Instant::now();
    change(lab)?;
    let answer = waiting.finish().map(|reply| reply.status);
    ensure!(start.elapsed() < AT_ONCE, "took {:?}: {answer:?}", start.elapsed());
    Ok(answer)
}

story!(what_waits_for_a_silent_waypoint_goes_direct_when_its_gateway_is_deleted, |lab| {
    let mut lab = apart(lab).start()?;
    let answer = overtaken(&mut lab, |lab| lab.delete("Gateway", "waypoint"))?;
    assert_eq!(answer?, 200);
    let told = |lab: &Lab| Ok(lab.agent_on("n1")?.access_log()?.len() == 2);
    wait::until_true("a line of each connection", SOON, || told(&lab))?;
    lab.left_alone(&lab.from("web").to("reviews"))?;
    Ok(())
});

story!(what_waits_for_a_silent_waypoint_is_refused_when_its_pod_is_gone, |lab| {
    let mut lab = apart(lab).start()?;
    let answer = overtaken(&mut lab, |lab| lab.delete("Pod", "waypoint"))?;
    ensure!(answer.is_err(), "it was answered {answer:?}");
    let start = Instant::now();
    lab.cut_off(&lab.from("web").to("reviews"))?;
    ensure!(start.elapsed() < AT_ONCE, "took {:?}", start.elapsed());
    Ok(())
});
