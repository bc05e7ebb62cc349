use crate::cli::waypoint::stage::{Stage, arguments, condition, gateway, printed};

use super::*;

async fn shown(stage: &Stage, words: &[&str]) -> (String, String) {
    let arguments: Arguments = arguments(words);
    printed(async |console: &mut Console<'_>| run(&arguments, stage, "shop", console).await).await
}

fn stage(looks: u32) -> Stage {
    let mut waypoint = gateway("w", "istio-waypoint", &json!({}));
    let pending = condition("False", "AddressNotAssigned", "address pending");
    waypoint["status"] = json!({ "conditions": [pending] });
    let stage = Stage::default().gateway(waypoint);
    stage.programmed_after.replace(looks);
    stage
}

#[tokio::test(start_paused = true)]
async fn every_change_is_a_row_until_it_is_programmed() {
    let (text, end) = shown(&stage(3), &[]).await;
    let expected = "\
NAME     STATUS     TYPE           REASON                 MESSAGE
w        False      Programmed     AddressNotAssigned     address pending
w        True       Programmed     Programmed             it is
waypoint shop/w: Programmed is False: AddressNotAssigned: address pending
";
    assert_eq!((text.as_str(), end.as_str()), (expected, "Good"));
}

#[tokio::test]
async fn who_does_not_wait_is_told_by_the_exit_code() {
    let (text, end) = shown(&stage(1), &["--wait=false", "-A"]).await;
    let expected = "\
NAMESPACE     NAME     STATUS     TYPE           REASON                 MESSAGE
shop          w        False      Programmed     AddressNotAssigned     address pending
";
    assert_eq!((text.as_str(), end.as_str()), (expected, "Amiss"));
    assert_eq!(shown(&Stage::default(), &[]).await.0, "No waypoints found.\n");
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_with_the_table_and_the_reason() {
    let (text, end) = shown(&stage(100), &["--waypoint-timeout", "3s", "-o", "wide"]).await;
    assert!(text.contains("AddressNotAssigned     address pending"), "{text}");
    let expected = "failed to print waypoint status: timed out while retrieving status for \
                    waypoint\tshop/w";
    assert_eq!(end, expected);
}
