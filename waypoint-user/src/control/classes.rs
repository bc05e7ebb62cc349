//! The GatewayClass of waypoints: made if it is not there, and accepted.
//!
//! **Invariant:** one that is there is never changed, but for its status.

use gateway_api::experimental::gatewayclasses::GatewayClass;
use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};
use serde_json::json;

use crate::{
    mesh::{
        label::{WAYPOINT_CLASS, WAYPOINT_CONTROLLER},
        object::ObjectName,
    },
    sync::objects::Objects,
};

use super::{
    desk::Wanted,
    kind::{GATEWAY_CLASS, Target},
    writer::{Change, Claim},
};

/// What is to be written of GatewayClasses.
pub fn wanted(objects: &Objects) -> Vec<Wanted> {
    let ours = ObjectName::cluster(WAYPOINT_CLASS);
    let mut wanted = Vec::new();
    if !objects.gateway_classes.contains_key(&ours) {
        let content = json!({
            "spec": { "controllerName": WAYPOINT_CONTROLLER, "description": DESCRIPTION },
        });
        wanted.push(Wanted::new(Target::whole(GATEWAY_CLASS, ours), Change::Create(content)));
    }
    for (name, class) in &objects.gateway_classes {
        if class.spec.controller_name == WAYPOINT_CONTROLLER && !is_accepted(class) {
            let content = json!({ "status": { "conditions": [accepted(class)] } });
            let change = Change::Apply { content, claim: Claim::Ours };
            wanted.push(Wanted::new(Target::status(GATEWAY_CLASS, name.clone()), change));
        }
    }
    wanted
}

/// Whether it is known to be accepted as it is now, whoever said so.
fn is_accepted(class: &GatewayClass) -> bool {
    let conditions = class.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions
        .filter(|one| one.type_ == ACCEPTED)
        .any(|one| one.status == "True" && one.observed_generation == class.metadata.generation)
}

fn accepted(class: &GatewayClass) -> Condition {
    let now = Timestamp::now();
    Condition {
        last_transition_time: Time(Timestamp::from_second(now.as_second()).unwrap_or(now)),
        message: "Handled by Istio controller".to_owned(),
        observed_generation: class.metadata.generation,
        reason: ACCEPTED.to_owned(),
        status: "True".to_owned(),
        type_: ACCEPTED.to_owned(),
    }
}

const ACCEPTED: &str = "Accepted";
/// Istio's words.
const DESCRIPTION: &str = "The default Istio waypoint GatewayClass";

#[cfg(test)]
mod tests;
