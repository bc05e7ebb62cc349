//! Installing Waypoint and the shop, and enrolling it.

use anyhow::{Result, bail};

use crate::demo::{
    answer::{Answer, STRAIGHT, Seen, THROUGH},
    ledger::Ledger,
    town::scene::{NAMESPACE, SYSTEM, Scene, documented},
};

/// The five commands of README, and a namespace is behind a waypoint.
pub(in crate::demo::town) fn waypoint_is_installed(
    scene: &mut Scene<'_>,
    ledger: &mut Ledger,
) -> Result<()> {
    scene.act(
        "Install Waypoint",
        "README's own commands. The image was imported into the nodes; a registry would do as \
         well. The controller makes its authority and publishes its root, with which the agents \
         then start. The CRDs of the Gateway API are there already.",
    );
    let commands = documented("README.md", "## On a cluster")?;
    let [crds, rest @ ..] = commands.as_slice() else { bail!("README gives no commands") };
    ledger.same("README: commands", "5", &commands.len().to_string());
    let named = crds.strip_prefix(CRDS).unwrap_or(crds);
    ledger.same("README: CRDs it names", &installed(scene)?, named);
    for command in rest {
        scene.shell(command)?;
    }
    let programmed = "--output=jsonpath={.status.conditions[?(@.type=='Programmed')].status}";
    let waypoint = scene.ask_quietly(&["-n", "default", "get", "gateway/waypoint", programmed])?;
    ledger.same("README: waypoint of namespace default", "True", &waypoint);
    let ready = |kind: &str, path: &str| {
        scene.ask_quietly(&["-n", SYSTEM, "get", kind, &format!("--output=jsonpath={path}")])
    };
    let controllers = ready("deployment/waypoint-controller", "{.status.readyReplicas}")?;
    let agents = ready("daemonset/waypoint-agent", "{.status.numberReady}")?;
    ledger.same("installed: controllers ready", "2", &controllers);
    ledger.same("installed: agents ready", "2", &agents);
    Ok(())
}

/// The version and the channel of the CRDs that are here, as the place of their release.
fn installed(scene: &Scene<'_>) -> Result<String> {
    let annotation = |name: &str| {
        let path = format!("{{.metadata.annotations.gateway\\.networking\\.k8s\\.io/{name}}}");
        let output = format!("--output=jsonpath={path}");
        scene.ask_quietly(&["get", "crd/gateways.gateway.networking.k8s.io", &output])
    };
    let (version, channel) = (annotation("bundle-version")?, annotation("channel")?);
    Ok(format!("{version}/{channel}-install.yaml"))
}

/// Real pods on both nodes, which Waypoint leaves alone.
pub(in crate::demo::town) fn the_shop_opens(
    scene: &mut Scene<'_>,
    ledger: &mut Ledger,
) -> Result<()> {
    scene.act(
        "Open the shop",
        "web and guest call catalog, ratings and three versions of reviews, on both nodes. Nothing \
         is labelled yet, so a connection takes the way it always took.",
    );
    scene.kubectl(&["apply", "-f", "deploy/examples/cluster/shop.yaml"])?;
    scene.kubectl(&["-n", NAMESPACE, "rollout", "status", "deployment", "--timeout=120s"])?;
    scene.kubectl(&["-n", NAMESPACE, "get", "pods", "-o", "wide"])?;
    // Ready pods are there before every node's kube-proxy knows them.
    let web = scene.address("web")?;
    let straight = |answer: &Answer| Seen::words(answer.seen(web)) == STRAIGHT;
    let answer = scene.ask_until(("web", "catalog"), &[], straight)?;
    ledger.same("no label: web -> catalog", STRAIGHT, Seen::words(answer.seen(web)));
    Ok(())
}

/// A label and a waypoint; no pod is restarted.
pub(in crate::demo::town) fn the_namespace_is_enrolled(
    scene: &mut Scene<'_>,
    ledger: &mut Ledger,
) -> Result<()> {
    scene.act(
        "Enrol the namespace",
        "One label takes the pods into the mesh; one command makes a waypoint, waits for it, and \
         puts it before the namespace's services.",
    );
    scene.kubectl(&["label", "namespace", NAMESPACE, "istio.io/dataplane-mode=ambient"])?;
    let apply = ["apply", "-n", NAMESPACE, "--enroll-namespace", "--wait"];
    let (_, succeeded) = scene.waypointctl(&apply)?;
    ledger.same("waypointctl apply --wait", "succeeds", outcome(succeeded));
    scene.kubectl(&["-n", NAMESPACE, "get", "gateway,deployment,service", "-o", "wide"])?;
    let web = scene.address("web")?;
    let through = |answer: &Answer| Seen::words(answer.seen(web)) == THROUGH;
    let answer = scene.ask_until(("web", "catalog"), &[], through)?;
    ledger.same("enrolled: web -> catalog", THROUGH, Seen::words(answer.seen(web)));
    Ok(())
}

/// A command's end in a word.
pub(super) fn outcome(succeeded: bool) -> &'static str {
    if succeeded { "succeeds" } else { "fails" }
}

/// How CRDs of the Gateway API are installed, up to their version.
const CRDS: &str = "kubectl apply --server-side -f \
                    https://github.com/kubernetes-sigs/gateway-api/releases/download/";
