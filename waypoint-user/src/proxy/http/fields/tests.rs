use super::*;

mod properties;

fn headers(fields: &[(&str, &str)]) -> HeaderMap {
    let field = |(name, value): &(&str, &str)| {
        (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap())
    };
    let mut headers = HeaderMap::new();
    for (name, value) in fields.iter().map(field) {
        headers.append(name, value);
    }
    headers
}

#[test]
fn what_holds_for_one_hop_does_not_pass() {
    let mut fields = headers(&[
        ("connection", "X-Hop , close"),
        ("connection", "x-other"),
        ("x-hop", "1"),
        ("x-other", "1"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "close"),
        ("te", "gzip, trailers;q=1"),
        ("te", "Trailers"),
        ("upgrade", "websocket"),
        ("expect", "100-continue"),
        ("trailer", "x-sum"),
        ("x-kept", "1"),
    ]);
    remove_hop_by_hop(&mut fields);
    assert_eq!(fields, headers(&[("te", "trailers"), ("trailer", "x-sum"), ("x-kept", "1")]));
}

#[test]
fn changes_of_protocol_need_http_1_1_and_both_fields() {
    let asks = headers(&[("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")]);
    assert_eq!(upgrade_of(Version::HTTP_11, &asks).unwrap(), "websocket");
    assert_eq!(upgrade_of(Version::HTTP_10, &asks), None);
    assert_eq!(upgrade_of(Version::HTTP_11, &headers(&[("upgrade", "websocket")])), None);
    assert_eq!(upgrade_of(Version::HTTP_11, &headers(&[("connection", "upgrade")])), None);
}

#[test]
fn a_change_to_http_2_would_hide_requests_and_is_not_passed_on() {
    for protocol in ["h2c", "websocket, H2C", "h2c-14"] {
        let asks = headers(&[("connection", "upgrade, http2-settings"), ("upgrade", protocol)]);
        assert_eq!(upgrade_of(Version::HTTP_11, &asks), None, "{protocol}");
    }
}

#[test]
fn edits_are_applied_in_order_and_nonsense_is_left_out() {
    let mut fields = headers(&[("x-a", "1"), ("x-a", "2"), ("x-b", "1"), ("x-c", "1")]);
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let edits = HeaderEdit {
        set: vec![pair("x-a", "3"), pair("x new", "1")],
        add: vec![pair("x-b", "2"), pair("x-d", "line\nbreak")],
        remove: vec!["x-c".to_owned(), "x-absent".to_owned()],
    };
    edit(&mut fields, [&edits].into_iter());
    assert_eq!(fields, headers(&[("x-a", "3"), ("x-b", "1"), ("x-b", "2")]));
}

#[test]
fn only_we_say_who_the_client_is() {
    let mut fields = headers(&[
        ("x-forwarded-client-cert", "URI=spiffe://evil"),
        ("waypoint-user", "1"),
        ("x-envoy-internal", "true"),
        ("x-waypoint-user", "1"),
        ("x-waypoints", "1"),
    ]);
    remove_forged(&mut fields);
    assert_eq!(fields, headers(&[("x-waypoints", "1")]));
}

#[test]
fn a_cookie_in_pieces_is_put_together() {
    let mut fields = headers(&[("cookie", "a=1"), ("x-a", "1"), ("cookie", "b=2; c=3")]);
    join_cookies(&mut fields);
    assert_eq!(fields, headers(&[("cookie", "a=1; b=2; c=3"), ("x-a", "1")]));
    let mut whole = headers(&[("cookie", "a=1")]);
    join_cookies(&mut whole);
    assert_eq!(whole, headers(&[("cookie", "a=1")]));
}

#[test]
fn a_request_without_a_name_gets_a_uuid() {
    let mut fields = HeaderMap::new();
    identify(&mut fields, || u128::MAX);
    assert_eq!(fields[&REQUEST_ID], "ffffffff-ffff-4fff-bfff-ffffffffffff");
    identify(&mut fields, || 0);
    assert_eq!(fields[&REQUEST_ID], "ffffffff-ffff-4fff-bfff-ffffffffffff");
    assert_eq!(uuid(0x1234_5678_9abc_def0), "00000000-0000-4000-9234-56789abcdef0");
}
