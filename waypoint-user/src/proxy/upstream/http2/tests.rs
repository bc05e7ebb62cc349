//! Connections in memory, to endpoints that are written byte by byte.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    task::LocalSet,
    time::interval,
};

use super::*;
use crate::http2::{Allowance, Carried};

/// A connection with room for little, whose endpoint takes much.
async fn begin() -> (Http2, DuplexStream) {
    let (ours, mut theirs) = duplex(1000);
    let much = MUCH.to_be_bytes();
    theirs.write_all(&frame(SETTINGS, 0, 0, &[&[0, 4], &much[..]].concat())).await.unwrap();
    theirs.write_all(&frame(WINDOW_UPDATE, 0, 0, &much)).await.unwrap();
    let begun = Http2::begin(Carried::new(ours), growing(), (None, None)).await;
    (begun.expect("HTTP/2 did not begin"), theirs)
}

fn growing() -> Growing {
    let growth = Growth::new(&Allowance::new(usize::MAX / 2), HTTP2_REACH);
    Growing { growth, limit: Limit::default() }
}

/// A request of which all is queued that does not fit into the connection.
async fn ask(http2: &Http2) -> (Sending, Receiving) {
    let (head, ()) = Request::post("http://a/").body(()).unwrap().into_parts();
    let (mut sending, receiving) = http2.ask(&head, None, false).expect("nothing was asked");
    let mut body = Bytes::from(vec![b'x'; BODY_BYTES]);
    poll_fn(|cx| sending.poll_send(&mut body, true, cx)).await.unwrap();
    (sending, receiving)
}

/// A connection that all let go of once it was answered.
async fn let_go() -> DuplexStream {
    let (http2, mut theirs) = begin().await;
    let (sending, mut receiving) = ask(&http2).await;
    theirs.write_all(&frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x88")).await.unwrap();
    poll_fn(|cx| receiving.poll_response(cx)).await.unwrap();
    drop((sending, receiving, http2));
    theirs
}

/// The next frame: its kind, its flags and how long it is.
async fn next(endpoint: &mut DuplexStream) -> Option<(u8, u8, usize)> {
    let mut head = [0; 9];
    endpoint.read_exact(&mut head).await.ok()?;
    let len = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
    endpoint.read_exact(&mut vec![0; len]).await.ok()?;
    Some((head[3], head[4], len))
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&len[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

#[tokio::test(start_paused = true)]
async fn what_is_left_of_a_request_is_sent_after_all_let_go_of_its_connection() {
    let exchange = async {
        let mut theirs = let_go().await;
        theirs.read_exact(&mut [0; 24]).await.unwrap();
        let (mut sent, mut ended) = (0, false);
        while !ended {
            let (kind, flags, len) = next(&mut theirs).await.expect("the rest is lost");
            if kind == DATA {
                (sent, ended) = (sent + len, flags & END_STREAM != 0);
            }
        }
        assert_eq!(sent, BODY_BYTES);
        // What the endpoint still says is heard out, so that nothing is reset.
        for _ in 0..100 {
            theirs.write_all(&frame(PING, 0, 0, b"are you?")).await.unwrap();
        }
        let start = Instant::now();
        while next(&mut theirs).await.is_some() {}
        theirs.shutdown().await.unwrap();
        assert!(start.elapsed() < LINGER_TIMEOUT);
    };
    LocalSet::new().run_until(exchange).await;
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_reads_nothing_does_not_hold_a_connection_that_all_let_go_of() {
    const SOON: Duration = Duration::from_millis(10);
    let exchange = async {
        let mut theirs = let_go().await;
        let (start, mut ticks) = (Instant::now(), interval(SOON));
        let ping = frame(PING, 0, 0, b"are you?");
        let gone = async {
            while theirs.write_all(&ping).await.is_ok() {
                ticks.tick().await;
            }
        };
        timeout(LINGER_TIMEOUT + 2 * SOON, gone).await.expect("it is held");
        assert!(start.elapsed() >= LINGER_TIMEOUT, "it was given up too soon");
    };
    LocalSet::new().run_until(exchange).await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_nobody_uses_ends_at_once() {
    let exchange = async {
        let (http2, mut theirs) = begin().await;
        drop(http2);
        let start = Instant::now();
        theirs.read_to_end(&mut Vec::new()).await.unwrap();
        assert_eq!(start.elapsed(), Duration::ZERO);
    };
    LocalSet::new().run_until(exchange).await;
}

/// What the endpoint takes on a stream and on the connection, and the length of a request.
const MUCH: u32 = 1024 * 1024;
const BODY_BYTES: usize = 200 * 1024;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
