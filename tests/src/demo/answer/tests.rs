use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::{Answer, Seen};

const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 1, 1));

fn response(body: &str) -> Answer {
    let output = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{body}\n");
    Answer::read(&output, "", Duration::ZERO)
}

#[test]
fn a_server_that_saw_the_client_was_reached_straight() {
    let answer = response(r#"{"name":"catalog","peer":"10.77.1.1:4000"}"#);
    assert_eq!(answer.server().as_deref(), Some("catalog"));
    assert_eq!(answer.seen(CLIENT), Some(Seen::Client));
}

#[test]
fn a_server_that_saw_somebody_else_was_reached_through_the_waypoint() {
    let answer = response(r#"{"name":"catalog","peer":"10.77.0.1:4000"}"#);
    assert_eq!(answer.seen(CLIENT), Some(Seen::Waypoint));
}

#[test]
fn a_local_reply_is_not_a_shop_server() {
    let output = "HTTP/1.1 403 Forbidden\r\n\r\nRBAC: access denied";
    let answer = Answer::read(output, "", Duration::ZERO);
    assert_eq!(answer.outcome(), "403");
    assert_eq!(answer.seen(CLIENT), None);
}

#[test]
fn a_refusal_is_quick_or_it_is_a_hang() {
    let complaint = "curl: (7) Failed to connect";
    let refused = Answer::read("", complaint, Duration::from_millis(3));
    assert_eq!(refused.outcome(), "refused at once");
    let hung = Answer::read("", complaint, Duration::from_secs(5));
    assert_eq!(hung.outcome(), complaint);
}
