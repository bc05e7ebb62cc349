use serde_json::json;

use crate::cli::waypoint::stage::{Stage, arguments, gateway, printed};

use super::*;
use crate::cli::request::Denial;

fn stage() -> Stage {
    Stage::with("shop", &json!({}))
        .gateway(gateway("a", "istio-waypoint", &json!({})))
        .gateway(gateway("b", "istio-waypoint", &json!({ "istio.io/rev": "canary" })))
        .gateway(gateway("ingress", "istio", &json!({})))
}

async fn deleted(words: &[&str]) -> (String, String) {
    let (arguments, stage): (Arguments, _) = (arguments(words), stage());
    let run = async |console: &mut Console<'_>| run(&arguments, &stage, "shop", console).await;
    printed(run).await
}

#[tokio::test]
async fn only_waypoints_are_deleted_and_only_those_that_are_meant() {
    let both = "waypoint shop/a deleted\nwaypoint shop/b deleted\n";
    let cases: [(&[&str], &str); 6] = [
        (&["--all"], both),
        (&["--all", "-r", "canary"], "waypoint shop/b deleted\n"),
        (&["-r", "canary"], "waypoint shop/b deleted\n"),
        (&["a", "b"], both),
        (&["--name", "a"], "waypoint shop/a deleted\n"),
        (
            &["a", "gone", "-r", "canary"],
            "waypoint shop/a not found\nwaypoint shop/gone not found\n",
        ),
    ];
    for (words, expected) in cases {
        assert_eq!(deleted(words).await, (expected.to_owned(), "Good".to_owned()), "{words:?}");
    }
}

#[tokio::test]
async fn another_gateway_stays_and_that_is_said() {
    let (text, end) = deleted(&["ingress"]).await;
    let warning = "Warning: Gateway shop/ingress is of class istio and no waypoint; it stays\n";
    assert_eq!(text, format!("waypoint shop/ingress not found\n{warning}"));
    assert_eq!(end, "Good");
}

#[tokio::test]
async fn nobody_deletes_by_accident() {
    let (_, end) = deleted(&[]).await;
    let expected = "must specify a waypoint name or delete all using --all or delete specific \
                    revision using --revision";
    assert_eq!(end, expected);
    let (_, end) = deleted(&["a", "--all"]).await;
    assert_eq!(end, "cannot specify waypoint names when deleting all waypoints");
}

#[tokio::test]
async fn what_could_not_be_deleted_is_told() {
    let (arguments, stage): (Arguments, _) = (arguments(&["a"]), Stage::default());
    let denial = || Denial::Forbidden { request: "list gateways".into(), cause: "no".into() };
    stage.denial.replace(Some(denial));
    let run = async |console: &mut Console<'_>| run(&arguments, &stage, "shop", console).await;
    let (_, end) = printed(run).await;
    assert!(end.starts_with("you may not list gateways"), "{end}");
}
