use kube::core::Status;
use serde_json::json;

use super::*;

fn denial(code: u16, message: &str, name: &str) -> String {
    let request = Request {
        verb: "patch",
        resource: "gateways.gateway.networking.k8s.io",
        object: ObjectName::new("shop", "waypoint"),
    };
    let details = json!({ "name": name });
    let status = json!({ "code": code, "message": message, "details": details });
    let status: Status = serde_json::from_value(status).unwrap();
    Denial::of(&request, &kube::Error::Api(status.boxed())).to_string()
}

#[test]
fn every_denial_names_the_object_and_what_to_do() {
    let what = "patch gateways.gateway.networking.k8s.io waypoint in namespace shop";
    let cases = [
        (401, "Unauthorized", "renew the credentials"),
        (403, "you may not", "ask for a Role"),
        (409, "conflict with \"kubectl\"", "change those fields where their owner"),
        (422, "invalid", "invalid"),
    ];
    for (code, message, remedy) in cases {
        let said = denial(code, message, "waypoint");
        assert!(said.contains(what) && said.contains(remedy), "{code}: {said}");
    }
}

#[test]
fn an_absent_object_is_not_an_absent_kind() {
    let absent = denial(404, "gateways \"waypoint\" not found", "waypoint");
    assert!(absent.ends_with("gateways \"waypoint\" not found"), "{absent}");
    let missing = denial(404, "404 page not found\n", "");
    assert!(missing.contains("has no gateways.gateway.networking.k8s.io"), "{missing}");
}

#[test]
fn a_request_says_how_much_it_is_for() {
    let of = |namespace: &str, name: &str| {
        let object = ObjectName::new(namespace, name);
        Request { verb: "list", resource: "gateways", object }.to_string()
    };
    assert_eq!(of("", ""), "list gateways of all namespaces");
    assert_eq!(of("", "a"), "list gateways a");
    assert_eq!(of("a", ""), "list gateways in namespace a");
}
