//! waypointd dies, and comes back.

use anyhow::Result;

use crate::demo::answer::{STRAIGHT, Seen, THROUGH};
use crate::demo::ledger::Ledger;
use crate::demo::narrator;
use crate::demo::scene::Scene;

/// What each destination chose is in the kernel's map, and works without the process.
pub(super) fn the_process_is_killed(scene: &mut Scene, ledger: &mut Ledger) -> Result<()> {
    scene.act(
        "Kill waypointd",
        "The programs stay attached. With nobody listening, each destination gets what it chose: \
         catalog chose nothing and has no policy, so it is reached straight; reviews has a policy \
         that nobody can enforce now, so it is refused; ratings carries waypoint.dev/fail-mode: \
         closed, so it is refused as well.",
    );
    let process = scene.lab.agent_process()?.id();
    narrator::typed(&format!("kill -KILL {process}"));
    scene.lab.kill_agent()?;
    let catalog = scene.ask("web", "catalog", &[])?;
    let reviews = scene.ask("web", "reviews", &[])?;
    let ratings = scene.ask("web", "ratings", &[])?;
    let seen = Seen::words(catalog.seen(scene.address("web")?));
    ledger.same("killed: catalog (no choice, no policy)", STRAIGHT, seen);
    ledger.same("killed: reviews (no choice, policy)", REFUSED, &reviews.outcome());
    ledger.same("killed: ratings (fail-mode: closed)", REFUSED, &ratings.outcome());
    Ok(())
}

/// The pinned programs are used again; the next connection is captured.
pub(super) fn it_comes_back(scene: &mut Scene, ledger: &mut Ledger) -> Result<()> {
    scene.act(
        "Start it again",
        "waypointd finds its pinned programs, maps and links, puts its listeners back, proves the \
         path with a connection of its own, and takes over. Nothing else was touched.",
    );
    scene.show_agent();
    scene.lab.resume_agent()?;
    for service in ["catalog", "ratings"] {
        let answer = scene.ask("web", service, &[])?;
        let seen = Seen::words(answer.seen(scene.address("web")?));
        ledger.same(&format!("back: web -> {service}"), THROUGH, seen);
    }
    Ok(())
}

const REFUSED: &str = "refused at once";
