//! A small shop, and what Waypoint does with its traffic, told step by step.
//!
//! Every command that is shown is the command that runs, and every answer is what came back; the
//! demo asserts nothing that it does not also show.
//!
//! **Invariant:** it ends with one row per claim, and with success only when all of them hold.

mod acts;
mod answer;
mod ledger;
mod mesh;
mod narrator;
mod prompt;
mod scene;
pub mod town;

use anyhow::{Result, bail};

use ledger::Ledger;
use prompt::Prompt;
use scene::Scene;

/// Runs the demo, on one node or on two; with `keep` it then leaves the shop of one node open for a
/// person to try things. True when everything was as expected.
pub fn run(nodes: u8, keep: bool) -> Result<bool> {
    // Listening for Ctrl-C from the start lets an interrupted demo clean up behind itself.
    let prompt = Prompt::listen()?;
    match nodes {
        1 => on_one_node(&prompt, keep),
        2 if keep => bail!("--keep is for one node; leave out --nodes"),
        2 => mesh::run(&prompt),
        other => bail!("the shop has one node or two, not {other}"),
    }
}

fn on_one_node(prompt: &Prompt, keep: bool) -> Result<bool> {
    narrator::say(INTRODUCTION);
    let mut scene = Scene::open()?;
    let mut ledger = Ledger::default();
    for act in acts::ALL {
        prompt.check()?;
        act(&mut scene, &mut ledger)?;
    }
    narrator::title("What was seen");
    println!("{}", ledger.table());
    if keep {
        prompt.converse(&scene)?;
    } else {
        narrator::say(FAREWELL);
    }
    Ok(ledger.holds())
}

const INTRODUCTION: &str = "\
A shop in network namespaces on this machine: web calls catalog, reviews (three versions) and \
ratings; guest is somebody else. Every pod is a real process behind a real veth; waypointd runs \
beside them and reads Kubernetes manifests from a directory.";
const FAREWELL: &str = "\
The shop is closed and everything of it removed. `cargo xtask demo --keep` leaves it open, for you \
to try things.";
