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
