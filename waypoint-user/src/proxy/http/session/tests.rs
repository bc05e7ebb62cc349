use std::time::Duration;

use super::*;
use crate::mesh::request::sample::Request;

const BEGAN: u64 = 1_000_000;

fn service() -> ObjectName {
    ObjectName::new("default", "s")
}

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, last], 80))
}

fn cookie() -> Persistence {
    Persistence {
        name: "sid".to_owned(),
        carrier: Carrier::Cookie { permanent: false },
        absolute: None,
        idle: None,
    }
}

/// What a client that has a session, or none, is told when an endpoint answered.
fn told(by: &Persistence, current: Option<Session>, at: u8, now: u64) -> Option<String> {
    let service = service();
    let sessions = Sessions { by, current, backend: (&service, 80), path: "/cart".to_owned() };
    let mut headers = HeaderMap::new();
    sessions.tell(&mut headers, address(at), now);
    let value = headers.values().next()?;
    Some(value.to_str().unwrap().to_owned())
}

/// The session of a client that carries what it was told.
fn carried(by: &Persistence, told: &str, now: u64) -> Option<Session> {
    let request = match by.carrier {
        Carrier::Header => Request::get("http://s/").header(&by.name, told),
        Carrier::Cookie { .. } => {
            let pair = told.split(';').next().unwrap();
            Request::get("http://s/").header("cookie", &format!("a=b; {pair}; c=d"))
        }
    };
    Session::of(&request, by, now)
}

#[test]
fn a_client_that_carries_its_cookie_stays_where_it_was() {
    let by = cookie();
    let first = told(&by, None, 1, BEGAN).unwrap();
    assert!(first.ends_with("; Path=/cart; HttpOnly; SameSite=Lax"), "{first}");
    let session = carried(&by, &first, BEGAN + 999_999).unwrap();
    assert!(session.is_of(&service(), 80) && session.is_at(address(1)));
    assert!(!session.is_of(&service(), 81) && !session.is_at(address(2)));
    assert_eq!(told(&by, Some(session), 1, BEGAN), None, "it knows");
    let moved = told(&by, Some(session), 2, BEGAN).unwrap();
    assert!(carried(&by, &moved, BEGAN).unwrap().is_at(address(2)));
}

#[test]
fn a_field_does_what_a_cookie_does() {
    let by = Persistence { carrier: Carrier::Header, ..cookie() };
    let token = told(&by, None, 1, BEGAN).unwrap();
    assert!(carried(&by, &token, BEGAN).unwrap().is_at(address(1)));
    assert!(!token.contains(';'), "{token}");
}

#[test]
fn a_session_ends_at_its_time() {
    let by = Persistence { absolute: Some(Duration::from_mins(1)), ..cookie() };
    let first = told(&by, None, 1, BEGAN).unwrap();
    assert!(carried(&by, &first, BEGAN + 59).is_some());
    assert!(carried(&by, &first, BEGAN + 60).is_none());
}

#[test]
fn a_session_that_is_used_does_not_end_for_lack_of_requests() {
    let by = Persistence { idle: Some(Duration::from_mins(1)), ..cookie() };
    let first = told(&by, None, 1, BEGAN).unwrap();
    assert!(carried(&by, &first, BEGAN + 60).is_none());
    let session = carried(&by, &first, BEGAN + 50).unwrap();
    let second = told(&by, Some(session), 1, BEGAN + 50).unwrap();
    assert!(carried(&by, &second, BEGAN + 100).is_some());
}

#[test]
fn a_permanent_cookie_says_how_long_it_lasts() {
    let absolute = Some(Duration::from_hours(1));
    let by = Persistence { carrier: Carrier::Cookie { permanent: true }, absolute, ..cookie() };
    assert!(told(&by, None, 1, BEGAN).unwrap().ends_with("; Max-Age=3600"));
}

#[test]
fn what_is_no_token_is_no_session() {
    for wrong in ["", "x", "1.2.3", "0123456789abcdef01234567.1", "0123456789abcdef01234567.1.1.1"]
    {
        assert_eq!(Session::parse(wrong), None, "{wrong}");
    }
    assert_eq!(cookie_path("/a/b", Some(2)), "/a");
    assert_eq!(cookie_path("/a/b", None), "/");
    assert_eq!(cookie_path("/a;b", Some(4)), "/");
}
