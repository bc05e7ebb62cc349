//! What a mesh is for, and keeping it.

use anyhow::Result;

use super::arrival::outcome;
use crate::demo::{
    acts::routing::{LIKELY, Shares},
    answer::{Answer, Seen, THROUGH},
    ledger::Ledger,
    narrator,
    town::scene::{NAMESPACE, REQUESTS, SYSTEM, Scene},
};

/// Nine in ten to version 1, one in ten to version 2, and jason always to version 2.
pub(in crate::demo::town) fn reviews_are_split(
    scene: &mut Scene<'_>,
    ledger: &mut Ledger,
) -> Result<()> {
    scene.act(
        "Split reviews 90/10, and send jason to version 2",
        "An HTTPRoute whose parent is the Service of reviews decides who answers.",
    );
    scene.kubectl(&["apply", "-f", "deploy/examples/shop/reviews-route.yaml"])?;
    let jason = ["-H", "end-user: jason"];
    let is_v2 = |answer: &Answer| answer.server().as_deref() == Some("reviews-v2");
    // From here on the route is known to the waypoint: version 3 is nobody's any more.
    scene.ask_until(("web", "reviews"), &["-H", "end-user: jason"], is_v2)?;
    let everybody = Shares::count(&scene.ask_often("web", "reviews", &[])?);
    narrator::came_back(&everybody.to_string());
    let jasons = Shares::count(&scene.ask_often("web", "reviews", &jason)?);
    narrator::came_back(&jasons.to_string());
    let expected = format!("v1 about {}, v2 about {}, v3 0", REQUESTS * 9 / 10, REQUESTS / 10);
    let fair = everybody.v1 + everybody.v2 == REQUESTS && LIKELY.contains(&everybody.v2);
    ledger.judged("route: everybody's reviews", &expected, &everybody.to_string(), fair);
    let all_v2 = Shares { v2: REQUESTS, ..Shares::default() };
    ledger.same("route: jason's reviews", &all_v2.to_string(), &jasons.to_string());
    Ok(())
}

/// web may read, nobody may delete, guest may nothing.
pub(in crate::demo::town) fn only_web_may_call(
    scene: &mut Scene<'_>,
    ledger: &mut Ledger,
) -> Result<()> {
    scene.act(
        "Only web may call reviews, and nobody may DELETE",
        "Who calls is what its certificate says, which its node's agent got for the pod that the \
         kernel says the connection came from.",
    );
    scene.kubectl(&["apply", "-f", "deploy/examples/shop/reviews-policy.yaml"])?;
    let refused = |answer: &Answer| answer.outcome() == "403";
    let guest = scene.ask_until(("guest", "reviews"), &[], refused)?;
    let deletes = scene.ask("web", "reviews", &["-X", "DELETE"])?;
    let reads = scene.ask("web", "reviews", &[])?;
    ledger.same("policy: web GET reviews", "200", &reads.outcome());
    ledger.same("policy: web DELETE reviews", "403", &deletes.outcome());
    ledger.same("policy: guest GET reviews", "403", &guest.outcome());
    Ok(())
}

/// The tool says what stands and why a connection takes a waypoint.
pub(in crate::demo::town) fn the_tool_explains(
    scene: &mut Scene<'_>,
    ledger: &mut Ledger,
) -> Result<()> {
    scene.act(
        "Ask why",
        "status says whether the waypoint is ready, explain why a connection takes it.",
    );
    let (status, succeeded) = scene.waypointctl(&["status", "-n", NAMESPACE])?;
    let programmed = if status.contains("Programmed") { "Programmed" } else { "nothing of it" };
    ledger.same("waypointctl status", "succeeds", outcome(succeeded));
    ledger.same("waypointctl status says", "Programmed", programmed);
    let pod = format!("{NAMESPACE}/{}", scene.pod("web")?);
    let (explained, succeeded) = scene.waypointctl(&["explain", &pod, "reviews.shop:80"])?;
    ledger.same("waypointctl explain", "succeeds", outcome(succeeded));
    let named = if explained.contains("shop/waypoint") { "shop/waypoint" } else { "nothing of it" };
    ledger.same("waypointctl explain names", "shop/waypoint", named);
    Ok(())
}

/// Each node's next agent takes over from the former while requests go on.
pub(in crate::demo::town) fn agents_are_exchanged_under_load(
    scene: &mut Scene<'_>,
    ledger: &mut Ledger,
) -> Result<()> {
    scene.act(
        "Exchange the agents under load",
        "On each node a new agent starts beside the old one and takes its data path over. Requests \
         go on meanwhile, each over a connection of its own.",
    );
    let requests = scene.requests("web", "catalog")?;
    requests.wait_for_more(50)?;
    scene.kubectl(&["-n", SYSTEM, "rollout", "restart", "daemonset/waypoint-agent"])?;
    let rollout = ["-n", SYSTEM, "rollout", "status", "daemonset/waypoint-agent"];
    scene.kubectl(&[&rollout[..], &["--timeout=180s"]].concat())?;
    requests.wait_for_more(50)?;
    let (sent, failed) = requests.count()?;
    narrator::came_back(&format!("{sent} requests, {} of them failed", failed.len()));
    ledger.same("agents exchanged: failed requests", "0", &failed.len().to_string());
    let web = scene.address("web")?;
    let answer = scene.ask("web", "catalog", &[])?;
    ledger.same("agents exchanged: web -> catalog", THROUGH, Seen::words(answer.seen(web)));
    Ok(())
}
