//! What ends a request ends it while somebody is asked about it, too.

use std::time::Duration;

use tokio::{io::AsyncWriteExt, net::TcpStream, time::Instant};

use super::{
    auth_body::{DONE, POST, by_http, is_left_alone, serve, shows},
    conduct::lab,
    lab::{Backend, Lab, read_until},
    refusals::deny,
    traffic::govern,
};
use crate::{
    mesh::{
        route::{self, Conduct, HttpFilter, HttpRule, PathEdit, Redirect},
        traffic_policy::Timeouts,
    },
    proxy::limits::AUTH_TIMEOUT,
};

/// A rule that redirects requests, which `copy` is asked about and shown.
fn redirects() -> HttpRule {
    let path = Some(PathEdit::Full("/b".to_owned()));
    let redirect = Redirect { scheme: None, hostname: None, path, port: None, status: 302 };
    let mut rule = shows(by_http());
    rule.filters.push(HttpFilter::Redirect(redirect));
    rule
}

/// An engine, an endpoint, and an authority that is asked about requests which such a rule takes.
async fn start(rule: HttpRule) -> (Lab, Backend, Backend) {
    let (backend, authority) = (Backend::bind().await, Backend::bind().await);
    let lab = lab(&[&backend], Some(&authority), rule);
    (lab, backend, authority)
}

/// Sends the head of a request and some of its body, which has five bytes.
async fn send(lab: &Lab, fields: &str, body: &str) -> TcpStream {
    let mut client = lab.connect().await;
    let request = format!("{POST}{fields}content-length: 5\r\n\r\n{body}");
    client.write_all(request.as_bytes()).await.unwrap();
    client
}

/// What a client is told at first.
async fn told(client: &mut TcpStream) -> String {
    read_until(client, "\r\n\r\n").await
}

/// Sets one of the times of a policy.
type Set = fn(&mut Timeouts);

const SOON: Duration = Duration::from_millis(100);

/// Whole, and one that does not come to its end.
const BODIES: [&str; 2] = ["hello", "he"];

#[tokio::test]
async fn what_is_shown_and_redirected_counts_as_received() {
    let (lab, backend, authority) = start(redirects()).await;
    let mut client = send(&lab, "", "hello").await;
    let (answer, _) = tokio::join!(told(&mut client), serve(&authority, "hello", DONE));
    assert!(answer.starts_with("HTTP/1.1 302 "), "{answer}");
    assert!(answer.contains("/b\r\n"), "{answer}");
    let line = lab.line(1).await;
    assert_eq!(line["bytes_received"], 5, "{line}");
    assert_eq!(line["response_code_details"], "direct_response");
    assert!(is_left_alone(&backend).await);
}

#[tokio::test]
async fn the_time_of_a_route_holds_while_somebody_is_asked() {
    for (rule, body) in [shows(by_http()), redirects()].into_iter().zip(BODIES) {
        let timeouts = route::Timeouts { request: Some(SOON), backend_request: None };
        let conduct = Conduct { timeouts, ..Conduct::default() };
        let (lab, backend, _authority) = start(HttpRule { conduct, ..rule }).await;
        let mut client = send(&lab, "", body).await;
        let answer = told(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
        let line = lab.line(1).await;
        assert_eq!(line["response_flags"], "UT");
        assert_eq!(line["response_code_details"], "upstream_response_timeout");
        assert_eq!(line["bytes_received"], body.len());
        assert!(is_left_alone(&backend).await);
    }
}

#[tokio::test]
async fn the_times_of_a_policy_hold_while_somebody_is_asked() {
    let cases: [(Set, &str); 3] = [
        (|times| times.request = Some(SOON), "UT"),
        (|times| times.max_stream_duration = Some(SOON), "UMSDR"),
        (|times| times.stream_idle = Some(SOON), "SI"),
    ];
    for (set, flag) in cases {
        for (rule, body) in [redirects(), shows(by_http())].into_iter().zip(BODIES) {
            let (mut lab, backend, _authority) = start(rule).await;
            lab.change(|contents| {
                govern(contents, |policy| set(&mut policy.requests.timeouts));
            });
            let mut client = send(&lab, "", body).await;
            let answer = told(&mut client).await;
            assert!(answer.starts_with("HTTP/1.1 504 "), "{flag}: {answer}");
            assert_eq!(lab.line(1).await["response_flags"], flag);
            assert!(is_left_alone(&backend).await);
        }
    }
}

#[tokio::test]
async fn a_body_of_which_more_comes_is_not_idle() {
    let (mut lab, backend, authority) = start(shows(by_http())).await;
    let idle = Duration::from_secs(1);
    lab.change(|contents| {
        govern(contents, |policy| policy.requests.timeouts.stream_idle = Some(idle));
    });
    let (began, mut client) = (Instant::now(), send(&lab, "", "").await);
    for byte in b"hello" {
        let next = Instant::now() + idle / 3;
        while Instant::now() < next {
            assert!(is_left_alone(&authority).await);
        }
        client.write_all(&[*byte]).await.unwrap();
    }
    assert!(began.elapsed() > idle);
    let asks = serve(&authority, "hello", DONE);
    let (answer, ..) = tokio::join!(told(&mut client), asks, serve(&backend, "hello", DONE));
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn the_time_of_a_caller_holds_while_somebody_is_asked() {
    for body in BODIES {
        let (lab, _backend, _authority) = start(shows(by_http())).await;
        let call = "content-type: application/grpc\r\ngrpc-timeout: 80m\r\n";
        let answer = told(&mut send(&lab, call, body).await).await;
        assert!(answer.contains("\r\ngrpc-status: 4\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn who_is_denied_while_somebody_is_asked_is_told_at_once() {
    for rule in [shows(by_http()), redirects()] {
        let (mut lab, backend, authority) = start(rule).await;
        let began = Instant::now();
        let mut client = send(&lab, "", "hello").await;
        let mut question = authority.accept().await;
        read_until(&mut question, "hello").await;
        lab.change(|contents| deny(contents, "POST"));
        let answer = told(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
        assert!(began.elapsed() < AUTH_TIMEOUT, "the authority was waited for");
        let line = lab.line(1).await;
        let details = line["response_code_details"].as_str().unwrap();
        assert!(details.starts_with("rbac_access_denied"), "{line}");
        assert!(is_left_alone(&backend).await);
    }
}

#[tokio::test]
async fn who_is_denied_while_a_body_is_awaited_is_told_at_once() {
    let (mut lab, backend, authority) = start(shows(by_http())).await;
    let mut client = send(&lab, "expect: 100-continue\r\n", "").await;
    let leave = told(&mut client).await;
    assert_eq!(leave, "HTTP/1.1 100 Continue\r\n\r\n");
    lab.change(|contents| deny(contents, "POST"));
    let answer = told(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert!(is_left_alone(&authority).await && is_left_alone(&backend).await);
}
