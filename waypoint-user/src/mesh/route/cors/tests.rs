use super::*;

fn matches(pattern: &str, origin: &str) -> bool {
    OriginPattern::parse(pattern).unwrap().matches(origin)
}

#[test]
fn an_origin_is_matched_by_scheme_host_and_port() {
    assert!(matches("https://shop.example.com", "https://Shop.example.com"));
    assert!(matches("https://shop.example.com:443", "https://shop.example.com"));
    assert!(matches("http://shop.example.com", "http://shop.example.com:80"));
    assert!(!matches("https://shop.example.com", "http://shop.example.com"));
    assert!(!matches("https://shop.example.com", "https://shop.example.com:8443"));
    assert!(matches("https://shop.example.com:8443", "https://shop.example.com:8443"));
    assert!(!matches("https://shop.example.com", "https://shop.example.com.evil.org"));
}

#[test]
fn a_wildcard_stands_for_any_labels_to_its_left() {
    assert!(matches("https://*.example.com", "https://a.b.example.com"));
    assert!(!matches("https://*.example.com", "https://example.com"));
    assert!(!matches("https://*.example.com", "https://.example.com.evil.org"));
    assert!(!matches("https://*.example.com", "http://a.example.com"));
    assert!(matches("http://*:8080", "http://anything:8080"));
    assert!(matches("*", "null"));
}

#[test]
fn what_is_no_origin_is_no_pattern() {
    for wrong in ["example.com", "ftp://example.com", "https://", "https://a.*.com", "https://a/b"]
    {
        assert_eq!(OriginPattern::parse(wrong), None, "{wrong}");
    }
}
