use super::*;

#[test]
fn an_identity_prints_as_a_uri_and_as_a_principal_without_its_scheme() {
    let id = SpiffeId {
        trust_domain: DEFAULT_TRUST_DOMAIN.into(),
        namespace: "default".into(),
        service_account: "reviews".into(),
    };
    assert_eq!(id.to_string(), "spiffe://cluster.local/ns/default/sa/reviews");
    assert_eq!(id.principal(), "cluster.local/ns/default/sa/reviews");
}

#[test]
fn an_identity_is_parsed_back_from_its_uri() {
    let identity = SpiffeId::new("cluster.local", "shop", "web");
    assert_eq!(SpiffeId::parse(&identity.to_string()), Some(identity));
    let wrong = [
        "",
        "spiffe://",
        "cluster.local/ns/shop/sa/web",
        "spiffe://cluster.local/ns/shop/sa/",
        "spiffe://cluster.local/ns//sa/web",
        "spiffe:///ns/shop/sa/web",
        "spiffe://cluster.local/ns/shop/sa/web/more",
        "spiffe://cluster.local/sa/web/ns/shop",
    ];
    for uri in wrong {
        assert_eq!(SpiffeId::parse(uri), None, "{uri}");
    }
}
