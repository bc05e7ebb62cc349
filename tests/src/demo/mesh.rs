//! The shop on two nodes: who talks to whom with which identity, and what the wire between them
//! shows.
//!
//! **Invariant:** what it says was seen was reported by somebody who saw it: a server, a waypoint's
//! access log, a capture; never by what the demo itself did.

mod acts;
mod meeting;
mod scene;

use anyhow::Result;

use super::{ledger::Ledger, narrator, prompt::Prompt};
use scene::Scene;

/// Runs the demo. True when everything was as expected.
pub(super) fn run(prompt: &Prompt) -> Result<bool> {
    narrator::say(INTRODUCTION);
    let mut scene = Scene::open()?;
    let mut ledger = Ledger::default();
    for act in acts::ALL {
        prompt.check()?;
        act(&mut scene, &mut ledger)?;
    }
    narrator::title("What was seen");
    println!("{}", ledger.table());
    narrator::say(FAREWELL);
    Ok(ledger.holds())
}

const INTRODUCTION: &str = "\
A shop on two nodes, each a network namespace on this machine, with a link between them that can \
be listened to. On each node runs `waypointd agent`; the shop's waypoint is `waypointd proxy` in a \
pod of its own; `waypointd controller` signs their certificates. All read the same directory of \
Kubernetes manifests.";
const FAREWELL: &str = "The shop is closed and everything of it removed.";
