//! Waits until a waypoint is programmed.
//!
//! It asks again and again and does not watch: what `get` may, everybody may.

use std::time::Duration;

use gateway_api::experimental::gateways::Gateway;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::{
    cli::{Console, Error},
    mesh::object::ObjectName,
};

use super::{cluster::Cluster, progress::Progress, rows};

/// How often a waypoint is looked at (Istio's pace).
pub(super) const PACE: Duration = Duration::from_secs(1);

/// Waits until it is programmed, and shows meanwhile how it is.
pub(super) async fn wait(
    cluster: &impl Cluster,
    waypoint: &ObjectName,
    patience: Duration,
    progress: &mut Progress,
    console: &mut Console<'_>,
) -> Result<(), Error> {
    let end = Instant::now() + patience;
    let mut clock = interval(PACE);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        clock.tick().await;
        let now = cluster.gateway(waypoint).await?;
        if now.as_ref().is_some_and(rows::is_programmed) {
            progress.end();
            return Ok(());
        }
        let state = state(now.as_ref());
        if Instant::now() >= end {
            progress.end();
            let message = format!("timed out while waiting for waypoint\t{waypoint}: {state}");
            return Err(Error::TimedOut(message));
        }
        progress.show(&format!("waypoint {waypoint}: {state}"), &mut console.err)?;
    }
}

/// How a waypoint is, in words.
pub(super) fn state(gateway: Option<&Gateway>) -> String {
    let Some(gateway) = gateway else { return "it was deleted".to_owned() };
    let refused = |one: &&Condition| one.type_ == ACCEPTED && one.status == "False";
    let shown = rows::conditions(gateway).iter().find(refused).or(rows::programmed(gateway));
    match shown {
        Some(one) => format!("{} is {}: {}: {}", one.type_, one.status, one.reason, one.message),
        None => format!(
            "no controller has said anything of it; is one installed, and is it of its revision \
             ({})?",
            Some(rows::revision(gateway)).filter(|one| !one.is_empty()).unwrap_or("default")
        ),
    }
}

/// The type of the condition that says whether a controller can use what is written.
const ACCEPTED: &str = "Accepted";
