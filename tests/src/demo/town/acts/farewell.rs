//! Taking Waypoint away again, by the commands of `deploy/README.md`.

use anyhow::Result;

use super::arrival::outcome;
use crate::{
    cluster::Node,
    demo::{
        answer::{Answer, STRAIGHT, Seen},
        ledger::Ledger,
        narrator,
        town::scene::{NAMESPACE, SYSTEM, Scene, documented},
    },
};

/// The waypoint goes, and what it ran in.
pub(in crate::demo::town) fn the_waypoint_is_deleted(
    scene: &mut Scene<'_>,
    ledger: &mut Ledger,
) -> Result<()> {
    scene.act(
        "Delete the waypoint",
        "Without a waypoint its label means nothing, and services are reached straight again.",
    );
    let (_, succeeded) = scene.waypointctl(&["delete", "-n", NAMESPACE, "waypoint"])?;
    ledger.same("waypointctl delete", "succeeds", outcome(succeeded));
    let gone = ["-n", NAMESPACE, "wait", "--for=delete", "deployment/waypoint", "--timeout=60s"];
    scene.kubectl(&gone)?;
    let web = scene.address("web")?;
    let straight = |answer: &Answer| Seen::words(answer.seen(web)) == STRAIGHT;
    let answer = scene.ask_until(("web", "catalog"), &[], straight)?;
    ledger.same("deleted: web -> catalog", STRAIGHT, Seen::words(answer.seen(web)));
    Ok(())
}

/// Nothing stays, neither in the cluster nor on its nodes.
pub(in crate::demo::town) fn everything_is_uninstalled(
    scene: &mut Scene<'_>,
    ledger: &mut Ledger,
) -> Result<()> {
    scene.act(
        "Uninstall",
        "Agents first, then what they left on the nodes, then the controller and what it wrote, \
         then everything else.",
    );
    for node in scene.cluster.nodes() {
        // Else finding nothing afterwards would say nothing.
        let there = traces(node)?;
        let claim = format!("before: something to remove on {}", node.name());
        ledger.judged(&claim, "pins, links, directories", &there.join(", "), there.len() > 2);
    }
    for command in documented("deploy/README.md", "## Uninstall")? {
        scene.shell(&command)?;
    }
    scene.kubectl(&["wait", "--for=delete", &format!("namespace/{SYSTEM}"), "--timeout=120s"])?;
    for node in scene.cluster.nodes() {
        let left = traces(node)?;
        narrator::came_back(&format!("{}: {}", node.name(), left.join(", ")));
        let claim = format!("uninstalled: left on {}", node.name());
        ledger.same(&claim, "", &left.join(", "));
    }
    let objects = scene.ask_quietly(&["get", KINDS, "-A", "-o", "name"])?;
    let left: Vec<_> = objects.lines().filter(|name| name.contains("waypoint")).collect();
    ledger.same("uninstalled: left in the cluster", "", &left.join(", "));
    let web = scene.address("web")?;
    let answer = scene.ask("web", "catalog", &[])?;
    ledger.same("uninstalled: web -> catalog", STRAIGHT, Seen::words(answer.seen(web)));
    Ok(())
}

/// What of ours is on a node: pins, links, namespaces, directories.
fn traces(node: &Node) -> Result<Vec<String>> {
    let look = "ls -d /sys/fs/bpf/*waypoint* /sys/class/net/wp* /run/waypoint* /run/netns/*wayp* \
                2>/dev/null; true";
    let found = node.run("sh", &["-c", look])?;
    Ok(found.split_whitespace().map(str::to_owned).collect())
}

/// What Waypoint makes objects of.
const KINDS: &str = "namespaces,clusterroles,clusterrolebindings,gatewayclasses,gateways,\
    validatingadmissionpolicies,validatingadmissionpolicybindings,configmaps,secrets,leases,\
    serviceaccounts,services,deployments,daemonsets,networkpolicies,poddisruptionbudgets";
