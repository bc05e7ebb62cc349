use serde_json::json;

use super::*;

fn read(values: &[(&str, &str)]) -> Result<Overlays, String> {
    let owned = values.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned()));
    Overlays::read("ConfigMap shop/mine", &owned.collect())
}

#[test]
fn patches_are_read_by_their_keys() {
    let overlays =
        read(&[("deployment", "spec:\n  replicas: 2\n"), ("podDisruptionBudget", "")]).unwrap();
    assert_eq!(overlays.get(Part::Deployment), Some(&json!({ "spec": { "replicas": 2 } })));
    assert_eq!(overlays.get(Part::DisruptionBudget), Some(&json!({})));
    assert_eq!(overlays.get(Part::Autoscaler), None);
}

#[test]
fn what_is_not_understood_is_refused() {
    assert_eq!(
        read(&[("replicas", "2")]).unwrap_err(),
        "ConfigMap shop/mine: key replicas is none of serviceAccount, deployment, service, \
         horizontalPodAutoscaler, podDisruptionBudget"
    );
    let malformed = read(&[("service", "spec: [")]).unwrap_err();
    assert!(malformed.starts_with("ConfigMap shop/mine: service: "), "{malformed}");
    assert!(!malformed.contains('\n'), "{malformed}");
}
