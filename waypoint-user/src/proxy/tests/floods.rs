//! Clients of HTTP/2 that do too much of something, and what is told of them.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{
    lab::{Backend, Lab, PATIENCE},
    upstream_http2::{END_HEADERS, END_STREAM, GOAWAY, HEADERS, SETTINGS, frame},
};
use crate::mesh::service::AppProtocol;

/// `GET http://shop/`.
const ASK: &[u8] = b"\x82\x84\x86\x41\x04shop";

const DATA: u8 = 0;
const RST_STREAM: u8 = 3;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;
const ACK: u8 = 1;
const ENHANCE_YOUR_CALM: u32 = 11;

const FLOODS: &str = "waypoint_limit_hits_total{limit=\"http2_floods\"}";

/// A client that has agreed on HTTP/2.
async fn client(lab: &Lab) -> TcpStream {
    let mut client = lab.connect().await;
    client.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    client.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
    client
}

/// The kind, the flags and the payload of the next frame; nothing at the end.
async fn next(client: &mut TcpStream) -> Option<(u8, u8, Vec<u8>)> {
    let mut head = [0; 9];
    timeout(PATIENCE, client.read_exact(&mut head)).await.expect("nothing comes").ok()?;
    let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
    client.read_exact(&mut payload).await.ok()?;
    Some((head[3], head[4], payload))
}

/// Does the same over and over on streams of a client.
fn on_streams(times: u32, what: impl Fn(u32) -> Vec<u8>) -> Vec<u8> {
    (0..times).flat_map(|number| what(2 * number + 1)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_too_much_is_sent_away_and_counted() {
    let backend = Backend::bind().await;
    let lab = Lab::start(&[backend.address()], AppProtocol::Http);
    backend.echo("one");
    let head = |id| frame(HEADERS, END_HEADERS, id, ASK);
    let floods = [
        ("empty frames", [head(1), frame(DATA, 0, 1, &[]).repeat(200)].concat()),
        (
            "a header block without end",
            [frame(HEADERS, 0, 1, ASK), frame(CONTINUATION, 0, 1, &[]).repeat(100)].concat(),
        ),
        (
            "requests that are taken back",
            on_streams(2000, |id| [head(id), frame(RST_STREAM, 0, id, &[0, 0, 0, 8])].concat()),
        ),
        (
            "requests that are none",
            on_streams(2000, |id| frame(HEADERS, END_HEADERS | END_STREAM, id, b"\x82")),
        ),
    ];
    for (number, (what, flood)) in (1_u32..).zip(floods) {
        let mut client = client(&lab).await;
        // It may be sent away before it has said everything.
        let _ = client.write_all(&flood).await;
        let mut told = None;
        while let Some((kind, _, payload)) = next(&mut client).await {
            if kind == GOAWAY {
                told = payload.last_chunk().copied().map(u32::from_be_bytes);
            }
        }
        assert_eq!(told, Some(ENHANCE_YOUR_CALM), "{what}");
        let counted = lab.metric(&[FLOODS]).await;
        assert!((counted - f64::from(number)).abs() < f64::EPSILON, "{what}: {counted}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_its_answers_may_ask_whether_we_are_there() {
    const TIMES: u32 = 20_000;
    let backend = Backend::bind().await;
    let lab = Lab::start(&[backend.address()], AppProtocol::Http);
    backend.echo("one");
    let mut client = client(&lab).await;
    for round in 0..TIMES / 1000 {
        let pings = (0..1000).flat_map(|number: u32| {
            let number = u64::from(round * 1000 + number);
            frame(PING, 0, 0, &number.to_be_bytes())
        });
        let flood: Vec<u8> = pings.chain(frame(SETTINGS, 0, 0, &[]).repeat(1000)).collect();
        client.write_all(&flood).await.unwrap();
        let (mut pings, mut settings) = (0_u32, 0);
        while (pings, settings) < (1000, 1000) {
            match next(&mut client).await.expect("it is sent away") {
                (PING, ACK, payload) => {
                    let number = u64::from(round * 1000 + pings);
                    assert_eq!(payload, number.to_be_bytes());
                    pings += 1;
                }
                (SETTINGS, ACK, _) => settings += u32::from(pings > 0),
                _ => {}
            }
        }
    }
    client.write_all(&frame(HEADERS, END_HEADERS | END_STREAM, 1, ASK)).await.unwrap();
    let (kind, ..) = next(&mut client).await.unwrap();
    assert_eq!(kind, HEADERS);
    assert!(
        lab.registry.encode().lines().all(|line| !line.starts_with(FLOODS) || line.ends_with(" 0"))
    );
}
