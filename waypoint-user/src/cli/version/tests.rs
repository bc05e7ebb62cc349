use super::*;

#[test]
fn a_pod_that_cannot_be_asked_has_its_images_version() {
    let cases = [
        ("waypoint.dev/waypoint:0.1.0", "0.1.0"),
        ("registry:5000/waypoint:2@sha256:abc", "2"),
        ("registry:5000/waypoint", "unknown"),
        ("", "unknown"),
    ];
    for (image, expected) in cases {
        let spec = json!({ "containers": [{ "name": "c", "image": image }] });
        let pod: Pod = serde_json::from_value(json!({ "spec": spec })).unwrap();
        assert_eq!(tag(&pod), expected, "{image}");
    }
}

#[test]
fn versions_are_counted() {
    let versions = Versions::from([("0.1.0".to_owned(), 2), ("0.2.0".to_owned(), 1)]);
    assert_eq!(line("agents", &versions), "agents:      0.1.0 (2 pods), 0.2.0 (1 pod)\n");
    assert_eq!(line("waypoints", &Versions::new()), "waypoints:   none\n");
}
