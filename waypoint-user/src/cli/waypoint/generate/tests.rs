use crate::cli::waypoint::stage::{arguments, printed};

use super::*;

async fn generated(words: &[&str]) -> String {
    let arguments: Arguments = arguments(words);
    let (text, end) = printed(async |console: &mut Console<'_>| run(&arguments, console)).await;
    if end == "Good" { text } else { end }
}

#[tokio::test]
async fn a_gateway_says_no_more_than_what_was_asked() {
    let expected = "\
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: waypoint
spec:
  gatewayClassName: istio-waypoint
  listeners:
  - name: mesh
    port: 15008
    protocol: HBONE
";
    assert_eq!(generated(&[]).await, expected);
    assert_eq!(generated(&["--name", ""]).await, expected);
    let words = ["--name", "w", "-n", "shop", "--for", "all", "-r", "1-24"];
    let metadata = "\
metadata:
  labels:
    istio.io/rev: \"1-24\"
    istio.io/waypoint-for: all
  name: w
  namespace: shop
";
    let expected = expected.replace("metadata:\n  name: waypoint\n", metadata);
    assert_eq!(generated(&words).await, expected);
}

#[tokio::test]
async fn what_is_no_waypoint_is_refused_in_istios_words() {
    assert_eq!(
        generated(&["--name", "none"]).await,
        "failed to create gateway: invalid name provided for waypoint, 'none' is a reserved value"
    );
    assert_eq!(
        generated(&["--for", "pods"]).await,
        "failed to create gateway: invalid traffic type: pods. Valid options are: \
         [all none service workload]"
    );
}
