//! Unit tests of what calls amount to.

use super::*;

fn method(kind: Option<MethodType>, service: &str, method: &str) -> Method {
    let named = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Method { r#type: kind, service: named(service), method: named(method) }
}

fn of(kind: Option<MethodType>, service: &str, call: &str) -> (PathType, String) {
    let path = path(&method(kind, service, call)).unwrap();
    (path.r#type.unwrap(), path.value.unwrap())
}

#[test]
fn a_method_is_a_path() {
    use PathType::{Exact, PathPrefix, RegularExpression};
    for (kind, service, call, expected) in [
        (None, "shop.Cart", "Add", (Exact, "/shop.Cart/Add")),
        (Some(MethodType::Exact), "shop.Cart", "", (PathPrefix, "/shop.Cart")),
        (None, "", "Add", (RegularExpression, "/[^/]+/Add")),
    ] {
        assert_eq!(of(kind, service, call), (expected.0, expected.1.to_owned()));
    }
    let kind = || Some(MethodType::RegularExpression);
    let expected = (RegularExpression, "/(?:shop\\..*)/[^/]+".to_owned());
    assert_eq!(of(kind(), "shop\\..*", ""), expected);
    let expected = (RegularExpression, "/[^/]+/(?:Add|Drop)".to_owned());
    assert_eq!(of(kind(), "", "Add|Drop"), expected);
}

#[test]
fn what_is_no_name_is_told_with_its_place() {
    let wrong = Match { method: Some(method(None, "shop/Cart", "Add")), headers: None };
    let declared = GrpcRouteRules { matches: Some(vec![wrong]), ..GrpcRouteRules::default() };
    let cause = rule(1, &declared).unwrap_err().to_string();
    assert_eq!(cause, "spec.rules[1].matches[0]: method: \"shop/Cart\" is not a name of gRPC");
    let nothing = path(&method(None, "", "")).unwrap_err().to_string();
    assert!(nothing.contains("neither service nor method"), "{nothing}");
}
