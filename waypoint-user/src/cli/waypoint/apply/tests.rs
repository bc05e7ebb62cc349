use serde_json::json;

use crate::cli::waypoint::stage::{Stage, arguments, printed};

use super::*;

const AMBIENT: &str = "istio.io/dataplane-mode";

async fn applied(stage: &Stage, words: &[&str]) -> (String, String) {
    let arguments: Arguments = arguments(words);
    printed(async |console: &mut Console<'_>| run(&arguments, stage, "shop", console).await).await
}

#[tokio::test(start_paused = true)]
async fn a_waypoint_is_applied_waited_for_and_used() {
    let stage = Stage::with("shop", &json!({ AMBIENT: "ambient" }));
    stage.programmed_after.replace(3);
    let (text, end) = applied(&stage, &["--enroll-namespace", "--wait"]).await;
    let waiting = "waypoint shop/waypoint: no controller has said anything of it; is one \
                   installed, and is it of its revision (default)?";
    let expected = "\
waypoint shop/waypoint applied
waypoint shop/waypoint is ready!
namespace shop labeled with \"istio.io/use-waypoint: waypoint\"
";
    assert_eq!(text, format!("{expected}{waiting}\n"));
    assert_eq!(end, "Good");
    assert_eq!(*stage.done.borrow(), ["apply shop/waypoint", "update namespace shop"]);
    assert_eq!(stage.label("shop", USE_WAYPOINT).as_deref(), Some("waypoint"));
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_told_what_to_do_next() {
    let stage = Stage::with("shop", &json!({ AMBIENT: "ambient" }));
    let (text, _) = applied(&stage, &["--wait", "--name", "w"]).await;
    let next = "kubectl label namespace shop istio.io/use-waypoint=w\n";
    assert!(text.ends_with(next), "{text}");
    let stage = Stage::with("shop", &json!({ AMBIENT: "ambient", USE_WAYPOINT: "w" }));
    let (text, _) = applied(&stage, &["--wait", "--name", "w"]).await;
    assert!(text.ends_with("namespace shop uses it already\n"), "{text}");
}

#[tokio::test]
async fn a_namespace_that_uses_a_waypoint_keeps_it_and_nothing_is_done() {
    let stage = Stage::with("shop", &json!({ AMBIENT: "ambient", USE_WAYPOINT: "other" }));
    let (text, end) = applied(&stage, &["--enroll-namespace"]).await;
    let expected = "Warning: namespace (shop) already has an enrolled Waypoint. Consider adding \
                    the `--overwrite` flag to your apply command.\n";
    assert_eq!((text.as_str(), end.as_str()), (expected, "Amiss"));
    assert!(stage.done.borrow().is_empty());
}

#[tokio::test]
async fn overwriting_leaves_no_label_that_means_another_namespace() {
    let labels = json!({ USE_WAYPOINT: "other", USE_WAYPOINT_NAMESPACE: "elsewhere" });
    let stage = Stage::with("shop", &labels);
    let (text, end) = applied(&stage, &["--enroll-namespace", "--overwrite"]).await;
    assert_eq!(end, "Good");
    let warning = "Warning: namespace is not enrolled in ambient. Consider running\t\
                   `kubectl label namespace shop istio.io/dataplane-mode=ambient`\n";
    assert!(text.contains(warning), "{text}");
    assert_eq!(stage.label("shop", USE_WAYPOINT).as_deref(), Some("waypoint"));
    assert_eq!(stage.label("shop", USE_WAYPOINT_NAMESPACE), None);
}

#[tokio::test]
async fn a_namespace_that_somebody_else_changes_is_labelled_all_the_same() {
    let stage = Stage::with("shop", &json!({ AMBIENT: "ambient" }));
    stage.contenders.replace(ENROL_TRIES - 1);
    let (_, end) = applied(&stage, &["--enroll-namespace"]).await;
    assert_eq!(end, "Good");
    stage.contenders.replace(ENROL_TRIES);
    let (_, end) = applied(&stage, &["--enroll-namespace", "--overwrite"]).await;
    assert!(end.starts_with("namespace shop was changed by others each time"), "{end}");
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_and_says_how_it_is() {
    let stage = Stage::with("shop", &json!({ AMBIENT: "ambient" }));
    stage.programmed_after.replace(100);
    let (text, end) = applied(&stage, &["--wait", "--waypoint-timeout", "5s"]).await;
    let expected = "timed out while waiting for waypoint\tshop/waypoint: no controller";
    assert!(end.starts_with(expected), "{end}");
    assert_eq!(text.lines().count(), 2, "it says the same again: {text}");
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let (_, end) = applied(&Stage::default(), &[]).await;
    assert!(end.starts_with("namespace: shop not found"), "{end}");
    let stage = Stage::with("shop", &json!({}));
    stage.denial.replace(Some(|| Denial::KindMissing("gateways")));
    let (_, end) = applied(&stage, &[]).await;
    let expected = "missing Kubernetes Gateway CRDs need to be installed before applying a \
                    waypoint: the API server has no gateways";
    assert!(end.starts_with(expected), "{end}");
}
