use http::HeaderValue;

use super::accept;

#[test]
fn a_key_is_answered_as_the_specification_has_it() {
    // The example of RFC 6455 section 1.3.
    let key = HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ==");
    assert_eq!(accept(&key).unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}
