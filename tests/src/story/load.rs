//! What happens to requests while something else happens.

use anyhow::{Result, ensure};

use crate::lab::{
    Lab, Tally,
    wait::{self, SOON},
};

/// Requests a second that `web` sends to `reviews`.
pub const PER_SECOND: u32 = 200;

/// Runs an event in the middle of requests, and says what became of them.
pub fn under_load(lab: &mut Lab, event: impl FnOnce(&mut Lab) -> Result<()>) -> Result<Tally> {
    let load = lab.from("web").to("reviews").load(PER_SECOND)?;
    some_requests_more(lab)?;
    event(lab)?;
    some_requests_more(lab)?;
    let tally = load.finish()?;
    println!("{} requests, {} failures {:#?}", tally.sent, tally.failures.len(), tally.failures);
    Ok(tally)
}

/// The same, where not one may fail.
pub fn none_fails_under_load(
    lab: &mut Lab,
    event: impl FnOnce(&mut Lab) -> Result<()>,
) -> Result<()> {
    let tally = under_load(lab, event)?;
    ensure!(tally.failures.is_empty(), "{} of {} failed", tally.failures.len(), tally.sent);
    Ok(())
}

/// Waits until requests of another second were answered.
fn some_requests_more(lab: &Lab) -> Result<()> {
    let before = answered(lab)?;
    wait::until_true("requests that are answered", SOON, || {
        Ok(answered(lab)? >= before + PER_SECOND as usize)
    })
}

/// How many were answered, by the waypoints or, where there are none, by the agent.
fn answered(lab: &Lab) -> Result<usize> {
    let waypoints = || WAYPOINTS.iter().filter_map(|pod| lab.waypoint(pod).ok());
    if waypoints().next().is_none() {
        return Ok(lab.agent()?.access_log()?.len());
    }
    waypoints().map(|waypoint| Ok(waypoint.access_log()?.len())).sum()
}

/// The pods in which stories have waypoints.
const WAYPOINTS: [&str; 2] = ["waypoint", "waypoint-b"];
