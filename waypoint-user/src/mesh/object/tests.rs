use super::*;

#[test]
fn names_print_with_their_namespace_if_they_have_one() {
    assert_eq!(ObjectName::new("default", "reviews").to_string(), "default/reviews");
    assert_eq!(ObjectName::cluster("istio-waypoint").to_string(), "istio-waypoint");
    let service = ObjectRef::new("Service", ObjectName::new("default", "reviews"));
    assert_eq!(service.to_string(), "Service default/reviews");
}
