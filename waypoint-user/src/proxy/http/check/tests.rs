use http::Request;

use super::*;

fn parts(uri: &str, fields: &[(&str, &str)]) -> Parts {
    let mut builder = Request::builder().uri(uri);
    for (name, value) in fields {
        builder = builder.header(*name, *value);
    }
    builder.body(()).unwrap().into_parts().0
}

#[test]
fn the_authority_of_the_target_counts_more_than_host() {
    let absolute = parts("http://a:81/", &[("host", "b")]);
    assert_eq!(authority(&absolute).unwrap(), "a:81");
    assert_eq!(authority(&parts("/", &[("host", "b")])).unwrap(), "b");
}

#[test]
fn http_1_1_needs_one_host_and_http_1_0_none() {
    assert!(authority(&parts("/", &[])).is_err());
    assert!(authority(&parts("/", &[("host", "a"), ("host", "a")])).is_err());
    let mut old = parts("/", &[]);
    old.version = Version::HTTP_10;
    assert_eq!(authority(&old).unwrap(), "");
}

#[test]
fn an_authority_is_a_host_and_a_port() {
    for wrong in ["a@b", "a/b", "a, b", "a b", "a?b", "a#b", "fd96::1", "::1", "a:1:2"] {
        assert!(authority(&parts("/", &[("host", wrong)])).is_err(), "{wrong}");
    }
    for right in ["a", "a:80", "10.0.0.1:80", "[fd96::1]", "[fd96::1]:80"] {
        assert_eq!(authority(&parts("/", &[("host", right)])).unwrap(), right);
    }
}
