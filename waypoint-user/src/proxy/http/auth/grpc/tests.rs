use super::{
    super::messages::{Allowed, HttpStatus, Status},
    *,
};
use crate::mesh::{object::ObjectName, route::AuthProtocol};

fn field(name: &str, value: &str) -> FieldOption {
    let field = Field { name: name.to_owned(), value: value.to_owned(), raw: Vec::new() };
    FieldOption { field: Some(field) }
}

fn answer(said: &CheckResponse, grpc_status: &'static str) -> Answer {
    let message = said.encode_to_vec();
    let mut body = vec![0];
    body.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
    body.extend_from_slice(&message);
    let trailers = HeaderMap::from_iter([(
        HeaderName::from_static("grpc-status"),
        HeaderValue::from_static(grpc_status),
    )]);
    let head = Response::new(()).into_parts().0;
    Answer { head, body: body.into(), trailers: Some(trailers) }
}

#[test]
fn what_is_allowed_gets_and_loses_fields() {
    let ok = Allowed {
        headers: vec![
            field("x-user", "jason"),
            field("host", "evil"),
            field("content-length", "9"),
        ],
        removed: vec!["x-secret".to_owned(), "host".to_owned()],
    };
    let said = CheckResponse { status: Some(Status { code: 0 }), denied: None, ok: Some(ok) };
    let Some(Verdict::Pass(granted)) = verdict(&answer(&said, "0")) else { panic!("no pass") };
    let mut headers = HeaderMap::new();
    headers.insert("x-secret", HeaderValue::from_static("1"));
    headers.insert("x-user", HeaderValue::from_static("forged"));
    headers.insert(HOST, HeaderValue::from_static("shop"));
    granted.change(&mut headers);
    let fields: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value)).collect();
    assert_eq!(fields.len(), 2, "{fields:?}");
    assert_eq!(headers["x-user"], "jason");
    assert_eq!(headers[HOST], "shop");
}

#[test]
fn what_is_denied_is_answered_as_was_said_or_with_403() {
    let denied = Denied {
        status: Some(HttpStatus { code: 401 }),
        headers: vec![field("www-authenticate", "Basic")],
        body: "who are you?".to_owned(),
    };
    let status = Some(Status { code: 16 });
    for (denied, expected) in [(Some(denied), 401), (None, 403)] {
        let said = CheckResponse { status: status.clone(), denied, ok: None };
        let Some(Verdict::Refuse(response)) = verdict(&answer(&said, "0")) else {
            panic!("passed")
        };
        assert_eq!(response.status(), expected);
        assert_eq!(response.headers().contains_key("www-authenticate"), expected == 401);
    }
}

#[test]
fn what_is_no_answer_lets_nothing_pass() {
    let said = CheckResponse { status: Some(Status { code: 0 }), denied: None, ok: None };
    assert!(verdict(&answer(&said, "14")).is_none());
    let mut cut = answer(&said, "0");
    cut.body = cut.body.slice(..cut.body.len() - 1);
    assert!(verdict(&cut).is_none());
    let mut without = answer(&said, "0");
    without.trailers = None;
    assert!(verdict(&without).is_none());
}

#[test]
fn every_field_is_told_whatever_it_holds() {
    let service = ObjectName::new("a", "s");
    let auth =
        ExternalAuth { service, port: 80, told: Vec::new(), shows: 0, by: AuthProtocol::Grpc };
    let mut headers = HeaderMap::new();
    let value = |bytes: &'static [u8]| HeaderValue::from_bytes(bytes).unwrap();
    headers.append("x-user", value(b"ann"));
    headers.append("x-user", value("caf\u{e9}".as_bytes()));
    headers.append("x-user", value(b"\xff"));
    headers.append("x-none", value(b""));
    let told = told(&auth, &headers);
    assert_eq!(told["x-user"], "ann,caf\u{e9},\u{fffd}");
    assert_eq!(told["x-none"], "");
}
