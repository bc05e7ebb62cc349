//! What endpoints may do with an HTTP/1 connection.

use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::lab::{Backend, Lab, read_to_end, read_until};
use crate::mesh::service::AppProtocol;

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// An engine before one endpoint, a client of it, and the endpoint.
async fn start() -> (Lab, TcpStream, Backend) {
    let backend = Backend::bind().await;
    let lab = Lab::start(&[backend.address()], AppProtocol::Http);
    let client = lab.connect().await;
    (lab, client, backend)
}

/// Lets the client ask, and the endpoint answer with these bytes.
async fn answer_with(client: &mut TcpStream, backend: &Backend, answer: &[u8]) -> TcpStream {
    client.write_all(GET).await.unwrap();
    let mut upstream = backend.accept().await;
    read_until(&mut upstream, "\r\n\r\n").await;
    upstream.write_all(answer).await.unwrap();
    upstream
}

#[tokio::test]
async fn an_answer_may_begin_before_the_request_has_ended() {
    let (_lab, mut client, backend) = start().await;
    client.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\n\r\nabc").await.unwrap();
    let mut upstream = backend.accept().await;
    let head = read_until(&mut upstream, "\r\n\r\nabc").await;
    assert!(head.contains("\r\ncontent-length: 6\r\n"), "{head}");
    upstream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab").await.unwrap();
    read_until(&mut client, "\r\n\r\nab").await;
    client.write_all(b"def").await.unwrap();
    read_until(&mut upstream, "def").await;
    upstream.write_all(b"cd").await.unwrap();
    read_until(&mut client, "cd").await;
    // Both have ended, so the connection carries more.
    client.write_all(GET).await.unwrap();
    read_until(&mut upstream, "\r\n\r\n").await;
}

#[tokio::test]
async fn an_endpoint_that_takes_no_more_is_still_heard() {
    let (lab, mut client, backend) = start().await;
    let head = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n";
    client.write_all(head.as_bytes()).await.unwrap();
    let mut upstream = backend.accept().await;
    read_until(&mut upstream, "\r\nabc\r\n").await;
    let answer = b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    upstream.write_all(answer).await.unwrap();
    drop(upstream);
    let answer = read_until(&mut client, "\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert_eq!(lab.line(1).await["response_code"], 413);
}

#[tokio::test]
async fn a_client_that_breaks_off_within_its_body_breaks_the_request_off() {
    let (lab, mut client, backend) = start().await;
    client.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\n\r\nabc").await.unwrap();
    let mut upstream = backend.accept().await;
    read_until(&mut upstream, "\r\n\r\nabc").await;
    drop(client);
    assert_eq!(read_to_end(&mut upstream).await, "");
    assert_eq!(lab.line(1).await["blame"], "client");
}

#[tokio::test]
async fn answers_before_the_answer_are_passed_on_within_a_limit() {
    let (_lab, mut client, backend) = start().await;
    let hints = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n";
    let answer = [hints.repeat(16).as_bytes(), OK].concat();
    answer_with(&mut client, &backend, &answer).await;
    let answer = read_until(&mut client, "\r\n\r\nok").await;
    let rest = answer.strip_prefix(&hints.repeat(16)).expect("all hints");
    assert!(rest.starts_with("HTTP/1.1 200 OK\r\n") && !rest.contains("link"), "{answer}");

    let (lab, mut client, backend) = start().await;
    let _upstream = answer_with(&mut client, &backend, hints.repeat(17).as_bytes()).await;
    let answer = read_until(&mut client, "protocol error").await;
    let rest = answer.strip_prefix(&hints.repeat(16)).expect("hints up to the limit");
    assert!(rest.starts_with("HTTP/1.1 502 "), "{answer}");
    assert_eq!(lab.line(1).await["response_flags"], "UPE");
}

#[tokio::test]
async fn an_answer_that_is_malformed_is_not_passed_on() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno field\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n\r\n",
    ] {
        let (lab, mut client, backend) = start().await;
        let _upstream = answer_with(&mut client, &backend, answer.as_bytes()).await;
        let told = read_until(&mut client, "\r\n\r\n").await;
        assert!(told.starts_with("HTTP/1.1 502 "), "{answer:?}: {told}");
        assert_eq!(lab.line(1).await["response_flags"], "UPE");
    }
}

#[tokio::test]
async fn a_connection_on_which_more_came_than_was_asked_for_is_not_used_again() {
    let (_lab, mut client, backend) = start().await;
    let both = [OK, b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged"].concat();
    let mut first = answer_with(&mut client, &backend, &both).await;
    read_until(&mut client, "\r\n\r\nok").await;
    answer_with(&mut client, &backend, OK).await;
    read_until(&mut client, "\r\n\r\nok").await;
    assert_eq!(read_to_end(&mut first).await, "");
}

#[tokio::test]
async fn an_endpoint_that_closes_after_its_answer_is_dialled_again() {
    for head in ["connection: close\r\ncontent-length: 2", "x: no-length"] {
        let (_lab, mut client, backend) = start().await;
        for _ in 0..2 {
            let answer = format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\nok");
            drop(answer_with(&mut client, &backend, answer.as_bytes()).await);
            let answer = read_until(&mut client, "\r\n\r\n").await;
            let end = if answer.contains("chunked") { "2\r\nok\r\n0\r\n\r\n" } else { "ok" };
            assert_eq!(read_until(&mut client, end).await, end);
        }
    }
}

#[tokio::test]
async fn a_request_that_may_have_been_processed_is_not_sent_again() {
    let (lab, mut client, backend) = start().await;
    let mut upstream = answer_with(&mut client, &backend, OK).await;
    read_until(&mut client, "\r\n\r\nok").await;
    let post = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc";
    client.write_all(post).await.unwrap();
    read_until(&mut upstream, "\r\n\r\nabc").await;
    drop(upstream);
    assert!(read_until(&mut client, "\r\n\r\n").await.starts_with("HTTP/1.1 503 "));
    assert_eq!(lab.line(2).await["response_flags"], "UC");
}
