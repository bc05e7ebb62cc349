//! Looking into what runs, through the API server as a person at a desk does.

use anyhow::Result;

use super::arrival::outcome;
use crate::demo::{
    ledger::Ledger,
    town::scene::{NAMESPACE, Scene},
};

/// A waypoint and agents are asked what they have in force, and everything for its version.
pub(in crate::demo::town) fn processes_are_asked(
    scene: &mut Scene<'_>,
    ledger: &mut Ledger,
) -> Result<()> {
    scene.act(
        "Look inside",
        "A waypoint shows what it has in force; for any other pod, the agent of its node does. An \
         agent also knows what its kernel holds. Each says which version it is.",
    );
    dumps(scene, ledger, "")?;
    let web = format!("{NAMESPACE}/{}", scene.pod("web")?);
    let (live, succeeded) = scene.waypointctl(&["explain", "--live", &web, "reviews.shop:80"])?;
    ledger.same("explain --live", "succeeds", outcome(succeeded));
    let kernel = live.lines().find(|line| line.contains("captures connections to"));
    let kernel = kernel.unwrap_or("nothing of the kernel");
    let held = kernel.starts_with("kernel") && kernel.contains("for waypoint shop/waypoint");
    let kernel = kernel.split_whitespace().collect::<Vec<_>>().join(" ");
    ledger.judged("explain --live: the kernel", "captures for shop/waypoint", &kernel, held);
    versions(scene, ledger, "")
}

/// The agents that came after are asked as the former ones were.
pub(in crate::demo::town) fn processes_are_asked_again(
    scene: &mut Scene<'_>,
    ledger: &mut Ledger,
) -> Result<()> {
    scene.act("Look inside again", "The agents that took over answer in the place of the former.");
    dumps(scene, ledger, ", exchanged")?;
    versions(scene, ledger, ", exchanged")
}

/// Connections are shown as they happen, by the agent of a node.
pub(in crate::demo::town) fn connections_are_observed(
    scene: &mut Scene<'_>,
    ledger: &mut Ledger,
) -> Result<()> {
    scene.act("Watch connections", "Each node's agent sees the connections of its pods.");
    let node = scene.node("web")?;
    let observing = scene.observe(&["--node", &node, "--service", "catalog", "-o", "json"])?;
    let line = observing.wait_for(
        || scene.ask("web", "catalog", &[]).map(drop),
        |line| line["event"] == "closed" && line["reporter"] == "source",
    )?;
    let field = |path: &str| {
        let text = line.pointer(path).and_then(serde_json::Value::as_str).unwrap_or("-");
        text.to_owned()
    };
    let pod = scene.pod("web")?;
    ledger.same("observe: who", &format!("{NAMESPACE}/{pod}"), &field("/source/pod"));
    ledger.same("observe: by which waypoint", "shop/waypoint", &field("/waypoint"));
    Ok(())
}

/// What a waypoint, the agent of a pod and the agent of a node have in force.
fn dumps(scene: &Scene<'_>, ledger: &mut Ledger, when: &str) -> Result<()> {
    let made = "gateway.networking.k8s.io/gateway-name=waypoint";
    let waypoint = format!("{NAMESPACE}/{}", scene.pod_with(made)?);
    let web = format!("{NAMESPACE}/{}", scene.pod("web")?);
    let asked: [(&str, &[&str], &[&str]); 3] = [
        ("of the waypoint", &[&waypoint, "--section", "services"], &["shop", "catalog"]),
        ("of a pod's agent", &[&web, "--section", "services"], &["shop", "catalog"]),
        ("of a node", &["--node", "node-1", "--section", "waypoints"], &["shop", "waypoint"]),
    ];
    for (whose, words, expected) in asked {
        let (said, _) = scene.waypointctl(&[&["config", "dump"], words].concat())?;
        let row = |line: &&str| line.split_whitespace().take(2).eq(expected.iter().copied());
        let row = said.lines().find(row).or(said.lines().next()).unwrap_or("nothing");
        let row = row.split_whitespace().collect::<Vec<_>>();
        let holds = row.starts_with(expected);
        let claim = format!("config dump {whose}{when}");
        ledger.judged(&claim, &format!("a row of {}", expected.join("/")), &row.join(" "), holds);
    }
    Ok(())
}

/// Which versions everything says that it is; one that does not answer would be told apart.
fn versions(scene: &Scene<'_>, ledger: &mut Ledger, when: &str) -> Result<()> {
    let (said, succeeded) = scene.waypointctl(&["version"])?;
    ledger.same(&format!("version{when}"), "succeeds", outcome(succeeded));
    let own = env!("CARGO_PKG_VERSION");
    let expected = [
        format!("client: {own}"),
        format!("controller: {own} (2 pods)"),
        format!("agents: {own} (2 pods)"),
        format!("waypoints: {own} (2 pods)"),
    ];
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let said = said.lines().map(words).collect::<Vec<_>>().join("; ");
    ledger.same(&format!("version says{when}"), &expected.join("; "), &said);
    Ok(())
}
