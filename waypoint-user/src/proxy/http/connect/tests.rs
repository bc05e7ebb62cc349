use bytes::Bytes;

use super::*;

fn parts(uri: &str) -> Parts {
    let mut request = Request::new(());
    *request.method_mut() = Method::CONNECT;
    *request.uri_mut() = uri.parse().unwrap();
    request.into_parts().0
}

#[test]
fn a_tunnel_is_asked_for_by_a_host_and_a_port_alone() {
    for right in ["a:80", "10.0.0.1:443", "[fd96::1]:80"] {
        assert!(check(&parts(right), false).is_ok(), "{right}");
    }
    for other in ["/", "http://a:80/", "*"] {
        assert_eq!(check(&parts(other), false), Err(Fault::MethodRefused), "{other}");
    }
    for wrong in ["a", "a:0"] {
        assert!(matches!(check(&parts(wrong), false), Err(Fault::BadRequest(_))), "{wrong}");
    }
    assert!(matches!(check(&parts("a:80"), true), Err(Fault::BadRequest(_))));
    let mut old = parts("a:80");
    old.version = Version::HTTP_10;
    assert_eq!(check(&old, false), Err(Fault::MethodRefused));
}

#[test]
fn a_rewritten_host_is_what_is_asked_for_and_keeps_the_port() {
    let cases = [("a:80", "a:80"), ("b", "b:80"), ("b:81", "b:81"), ("[fd96::1]", "[fd96::1]:80")];
    for (host, wanted) in cases {
        for version in [forward::Version::Http1, forward::Version::Http2] {
            let mut request = Request::new(RequestBody::empty());
            request.headers_mut().insert(HOST, HeaderValue::from_static(host));
            finish(&mut request, &"a:80".parse().unwrap(), version).unwrap();
            assert_eq!(request.uri().to_string(), wanted);
            let told = request.headers().get(HOST).map(|host| host.to_str().unwrap());
            assert_eq!(told, (version == forward::Version::Http1).then_some(wanted));
        }
    }
}

#[test]
fn a_success_without_a_tunnel_is_told_to_nobody() {
    for (status, told) in [(200, 502), (204, 502), (302, 302), (403, 403)] {
        let mut response = Response::new(ResponseBody::Text(Bytes::from_static(b"x")));
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        assert_eq!(answer(response).status(), told);
    }
}
