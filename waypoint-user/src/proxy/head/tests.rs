use http::Request;

use super::*;

#[test]
fn decisions_see_the_path_in_normal_form_and_joined_fields() {
    let request = Request::builder()
        .uri("/a/../%41b?q=%41")
        .header("x-a", "1")
        .header("x-a", "2")
        .header("x-raw", http::HeaderValue::from_bytes(b"\xff").unwrap())
        .body(());
    let (parts, ()) = request.unwrap().into_parts();
    let borrowed = HeadRef::of(&parts, "shop:80");
    let owned = borrowed.to_owned();
    for head in [&borrowed as &dyn RequestHead, &owned] {
        assert_eq!(head.method(), "GET");
        assert_eq!(head.scheme(), "http");
        assert_eq!(head.authority(), "shop:80");
        assert_eq!(head.path(), "/Ab");
        assert_eq!(head.query(), Some("q=%41"));
        assert_eq!(head.header("x-a").as_deref(), Some("1,2"));
        assert_eq!(head.header("x-raw"), None);
        assert_eq!(head.header("x-b"), None);
    }
    assert_eq!(borrowed.path_and_query().unwrap(), "/Ab?q=%41");
}
