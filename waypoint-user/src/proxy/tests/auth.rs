//! Somebody is asked whether requests may pass.

use tokio::io::AsyncWriteExt;

use super::{
    conduct::{GET, answer, lab, service},
    lab::{Backend, read_until},
};
use crate::mesh::route::{AuthProtocol, ExternalAuth, HttpFilter, HttpRule};

/// A rule whose requests `copy` is asked about.
fn asks(gets: &[&str]) -> HttpRule {
    let auth = ExternalAuth {
        service: service("copy"),
        port: 80,
        told: vec!["x-cart".to_owned()],
        by: AuthProtocol::Http {
            path: "/check/".to_owned(),
            gets: gets.iter().map(|name| (*name).to_owned()).collect(),
        },
    };
    HttpRule { filters: vec![HttpFilter::Auth(auth)], ..HttpRule::default() }
}

/// Answers the question about a request; returns its head.
async fn told(authority: &Backend, status: &str, fields: &str) -> String {
    let mut stream = authority.accept().await;
    let head = read_until(&mut stream, "\r\n\r\n").await;
    let answer = format!("HTTP/1.1 {status}\r\n{fields}content-length: 2\r\n\r\nno");
    stream.write_all(answer.as_bytes()).await.unwrap();
    head
}

#[tokio::test]
async fn what_is_allowed_passes_with_what_the_authority_adds() {
    for (gets, wanted) in [(&["x-user"][..], false), (&[], true)] {
        let (backend, authority) = (Backend::bind().await, Backend::bind().await);
        let lab = lab(&[&backend], Some(&authority), asks(gets));
        let request = GET.replace("\r\n\r\n", "\r\nx-cart: 3\r\nx-other: 4\r\n\r\n");
        let endpoint = async {
            let mut stream = backend.accept().await;
            let head = read_until(&mut stream, "\r\n\r\n").await;
            answer(stream, "200 OK").await;
            head
        };
        let fields = "x-user: jason\r\nx-more: 1\r\n";
        let (answer, head, question) =
            tokio::join!(lab.ask(&request), endpoint, told(&authority, "200 OK", fields));
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(question.starts_with("GET /check/a HTTP/1.1\r\n"), "{question}");
        assert!(question.contains("\r\nhost: shop\r\n"), "{question}");
        assert!(question.contains("\r\nx-cart: 3\r\n"), "{question}");
        assert!(!question.contains("x-other"), "{question}");
        assert!(head.contains("\r\nx-user: jason\r\n"), "{head}");
        assert_eq!(head.contains("\r\nx-more: 1\r\n"), wanted, "{head}");
    }
}

#[tokio::test]
async fn what_is_refused_is_answered_as_the_authority_says() {
    let (backend, authority) = (Backend::bind().await, Backend::bind().await);
    let lab = lab(&[&backend], Some(&authority), asks(&[]));
    let fields = "www-authenticate: Basic\r\n";
    let (answer, _) = tokio::join!(lab.ask(GET), told(&authority, "401 Unauthorized", fields));
    assert!(answer.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{answer}");
    assert!(answer.contains("\r\nwww-authenticate: Basic\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nno"), "{answer}");
    let line = lab.line(1).await;
    assert_eq!(line["response_flags"], "UAEX");
    assert_eq!(line["response_code_details"], "ext_authz_denied");
}

#[tokio::test]
async fn without_an_answer_nothing_passes() {
    let backend = Backend::bind().await;
    let lab = lab(&[&backend], None, asks(&[]));
    let answer = lab.ask(GET).await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    let line = lab.line(1).await;
    assert_eq!(line["response_flags"], "UAEX");
    assert_eq!(line["response_code_details"], "ext_authz_error");
}
