use std::sync::Arc;

use serde_json::Value;

use super::*;

fn objects(classes: &[Value]) -> Objects {
    let mut objects = Objects::default();
    for class in classes {
        let class: GatewayClass = serde_json::from_value(class.clone()).unwrap();
        let name = ObjectName::cluster(class.metadata.name.clone().unwrap());
        objects.gateway_classes.insert(name, Arc::new(class));
    }
    objects
}

fn class(name: &str, controller: &str, status: &str, observed: i64) -> Value {
    json!({
        "metadata": { "name": name, "generation": 2 },
        "spec": { "controllerName": controller },
        "status": { "conditions": [{
            "type": "Accepted", "status": status, "reason": "Accepted", "message": "",
            "observedGeneration": observed, "lastTransitionTime": "2026-01-01T00:00:00Z",
        }] },
    })
}

#[test]
fn the_class_is_made_where_it_is_not_there() {
    let wanted = wanted(&objects(&[class("other", "example.org/x", "Unknown", 2)]));
    assert_eq!(wanted.len(), 1);
    assert_eq!(wanted[0].target.to_string(), "GatewayClass istio-waypoint");
    let Change::Create(content) = &*wanted[0].change else { panic!("{wanted:?}") };
    assert_eq!(content["spec"]["controllerName"], "istio.io/mesh-controller");
    assert_eq!(content["spec"]["description"], "The default Istio waypoint GatewayClass");
}

#[test]
fn classes_of_ours_are_accepted_and_others_are_not_touched() {
    let wanted = wanted(&objects(&[
        class("istio-waypoint", WAYPOINT_CONTROLLER, "Unknown", 2),
        class("mine", WAYPOINT_CONTROLLER, "True", 1),
        class("other", "example.org/x", "Unknown", 2),
    ]));
    let targets: Vec<_> = wanted.iter().map(|one| one.target.to_string()).collect();
    assert_eq!(targets, ["status of GatewayClass istio-waypoint", "status of GatewayClass mine"]);
    let Change::Apply { content, claim } = &*wanted[0].change else { panic!("{wanted:?}") };
    assert_eq!(*claim, Claim::Ours);
    let condition = &content["status"]["conditions"][0];
    assert_eq!(condition["message"], "Handled by Istio controller");
    assert_eq!(condition["observedGeneration"], 2);
}

#[test]
fn nothing_is_written_of_a_class_that_is_accepted() {
    assert_eq!(wanted(&objects(&[class("istio-waypoint", WAYPOINT_CONTROLLER, "True", 2)])), []);
}
