use serde_json::json;

use crate::cli::waypoint::stage::{Stage, arguments, condition, gateway, printed};

use super::*;

fn stage() -> Stage {
    let mut ready = gateway("ready", "istio-waypoint", &json!({ "istio.io/waypoint-for": "all" }));
    ready["status"] = json!({
        "conditions": [condition("True", "Programmed", "")],
        "addresses": [{ "value": "10.96.0.9" }],
    });
    let mut elsewhere = gateway("w", "istio-waypoint", &json!({ "istio.io/rev": "canary" }));
    elsewhere["metadata"]["namespace"] = json!("a");
    Stage::default().gateway(ready).gateway(elsewhere).gateway(gateway(
        "ingress",
        "istio",
        &json!({}),
    ))
}

async fn listed(stage: &Stage, words: &[&str]) -> String {
    let arguments: Arguments = arguments(words);
    let run = async |console: &mut Console<'_>| run(&arguments, stage, "shop", console).await;
    let (text, end) = printed(run).await;
    assert_eq!(end, "Good");
    text
}

#[tokio::test]
async fn the_table_shows_the_traffic_type_that_holds() {
    let expected = "\
NAME      REVISION     TRAFFIC TYPE     PROGRAMMED
ready     default      all              True
";
    assert_eq!(listed(&stage(), &[]).await, expected);
    let expected = "\
NAMESPACE     NAME      REVISION     TRAFFIC TYPE     PROGRAMMED     ADDRESSES
a             w         canary       service          False
shop          ready     default      all              True           10.96.0.9
";
    assert_eq!(listed(&stage(), &["-A", "-o", "wide"]).await, expected);
}

#[tokio::test]
async fn without_gateways_there_is_a_sentence_and_without_waypoints_a_header() {
    assert_eq!(listed(&Stage::default(), &[]).await, "No waypoints found.\n");
    assert_eq!(listed(&Stage::default(), &["-o", "json"]).await, "[]\n");
    let other = Stage::default().gateway(gateway("ingress", "istio", &json!({})));
    assert_eq!(listed(&other, &[]).await, "NAME     REVISION     TRAFFIC TYPE     PROGRAMMED\n");
}

#[tokio::test]
async fn programs_get_yaml() {
    let expected = "\
- addresses: []
  class: istio-waypoint
  name: w
  namespace: a
  programmed: \"False\"
  revision: canary
  trafficType: service
";
    assert_eq!(listed(&stage(), &["-A", "--name", "w", "-o", "yaml"]).await, expected);
}
