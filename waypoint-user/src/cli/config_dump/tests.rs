use serde_json::json;

use super::*;

#[test]
fn sections_are_the_tables_of_ztunnel_config() {
    let dump = json!({
        "services": [
            { "name": "shop/reviews", "vips": ["10.96.0.2", "fd00::2"],
              "endpoints": { "ready": 1, "total": 2 }, "waypoint": { "bound": "shop/waypoint" } },
            { "name": "a/b", "vips": [], "endpoints": { "ready": 0, "total": 0 },
              "waypoint": { "refused": "a/w", "reason": "WaypointIsNotReady" } },
        ],
        "workloads": [
            { "name": "shop/web", "addresses": ["10.1.0.1"], "node": "n1", "transport": "hbone",
              "waypoint": { "bound": "infra/w" } },
            { "name": "shop/old", "addresses": ["10.1.0.2"], "node": "n1", "transport": "plain",
              "waypoint": null },
        ],
        "policies": [{ "name": "shop/p", "action": "ALLOW", "scope": ["Service reviews"] }],
        "waypoints": [{ "name": "shop/waypoint", "class": "istio-waypoint", "for": "service",
              "ready": true, "instances": ["shop/waypoint-1"] }],
    });
    let expected = "\
NAMESPACE   SERVICE NAME   SERVICE VIP         WAYPOINT                         ENDPOINTS
shop        reviews        10.96.0.2,fd00::2   waypoint                         1/2
a           b                                  None (WaypointIsNotReady: a/w)   0/0

NAMESPACE   POD NAME   ADDRESS    NODE   WAYPOINT   PROTOCOL
shop        web        10.1.0.1   n1     infra/w    HBONE
shop        old        10.1.0.2   n1     None       TCP

NAMESPACE   POLICY NAME   ACTION   SCOPE
shop        p             ALLOW    Service reviews

NAMESPACE   WAYPOINT NAME   CLASS            TRAFFIC TYPE   READY   INSTANCES
shop        waypoint        istio-waypoint   service        true    shop/waypoint-1
";
    assert_eq!(sections::tables(&dump), expected);
    let one = chosen(&dump, &[Section::Policies]);
    assert_eq!(one, json!({ "policies": dump["policies"] }));
    assert!(sections::tables(&one).starts_with("NAMESPACE   POLICY NAME"));
}

#[test]
fn an_ordinary_pod_is_asked_for_by_its_nodes_agent() {
    let pod = |account: &str, labels: Value| -> Pod {
        let spec = json!({ "serviceAccountName": account, "nodeName": "n1", "containers": [] });
        serde_json::from_value(json!({ "metadata": { "labels": labels }, "spec": spec })).unwrap()
    };
    assert_eq!(node_of_other(&pod("default", json!({}))).as_deref(), Some("n1"));
    assert_eq!(node_of_other(&pod(AGENT, json!({}))), None);
    let made = json!({ MANAGED: "istio.io-mesh-controller", GATEWAY_NAME: "w" });
    assert_eq!(node_of_other(&pod("w", made)), None);
}
