//! Windows of HTTP/2 connections that are filled within a round trip.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy, sink},
    net::TcpStream,
    time::timeout,
};

use super::lab::{Backend, Lab, PATIENCE, read_until};
use crate::{mesh::service::AppProtocol, telemetry::task};

/// Sends a body on the first stream of a connection, and answers pings late.
struct Pusher {
    stream: TcpStream,
    /// What may be sent on the connection, and on the stream.
    room: [usize; 2],
    /// A ping that was not answered, and by how much the stream's window was opened since.
    ping: Option<Vec<u8>>,
    granted: usize,
    /// Whether a request came.
    asked: bool,
}

impl Pusher {
    async fn begin(mut stream: TcpStream, begin: &[u8]) -> Self {
        stream.write_all(begin).await.unwrap();
        Self { stream, room: [65_535; 2], ping: None, granted: 0, asked: false }
    }

    /// Sends until the window of the stream is opened by more than was sent.
    async fn push(mut self) {
        loop {
            if self.room.iter().all(|room| *room >= PIECE_BYTES) {
                self.write(DATA, 0, 1, &[b'x'; PIECE_BYTES]).await;
                self.room = self.room.map(|room| room - PIECE_BYTES);
            } else if self.hear().await {
                return;
            }
        }
    }

    /// Takes a frame; whether it opens a window further than it was before.
    async fn hear(&mut self) -> bool {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head).await.unwrap();
        let len = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let mut payload = vec![0; len];
        self.stream.read_exact(&mut payload).await.unwrap();
        let number = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().unwrap()) as usize;
        match (head[3], head[4]) {
            (SETTINGS, 0) => {
                let setting = payload.chunks(6).find(|setting| setting[..2] == [0, 4]).unwrap();
                self.room[1] += number(&setting[2..]) - 65_535;
                self.write(SETTINGS, ACK, 0, &[]).await;
            }
            (HEADERS, _) => self.asked = true,
            (PING, 0) => (self.ping, self.granted) = (Some(payload), 0),
            (WINDOW_UPDATE, _) => {
                let (of_stream, more) = (head[8] == 1, number(&payload));
                self.room[usize::from(of_stream)] += more;
                self.granted += if of_stream { more } else { 0 };
                if self.granted >= 2 * WINDOW_BYTES
                    && let Some(ping) = self.ping.take()
                {
                    self.write(PING, ACK, 0, &ping).await;
                }
                return of_stream && more >= WINDOW_BYTES;
            }
            _ => {}
        }
        false
    }

    async fn write(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.stream.write_all(&frame(kind, flags, stream, payload)).await.unwrap();
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&len[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_far_and_fast_may_send_more() {
    let backend = Backend::bind().await;
    let lab = Lab::start(&[backend.address()], AppProtocol::Http);
    let post = frame(HEADERS, END_HEADERS, 1, b"\x83\x86\x84\x41\x01a");
    let begin = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &frame(SETTINGS, 0, 0, &[])[..], &post];
    let pusher = Pusher::begin(lab.connect().await, &begin.concat()).await;
    task::spawn("endpoint", async move {
        let mut stream = backend.accept().await;
        read_until(&mut stream, "\r\n\r\n").await;
        copy(&mut stream, &mut sink()).await
    });
    timeout(PATIENCE, pusher.push()).await.expect("the window stays as it was");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_far_and_fast_may_send_more() {
    let backend = Backend::bind().await;
    let lab = Lab::start(&[backend.address()], AppProtocol::Http2);
    let mut client = lab.connect().await;
    client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut stream = backend.accept().await;
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
    stream.read_exact(&mut [0; 24]).await.unwrap();
    let answer = frame(HEADERS, END_HEADERS, 1, b"\x88");
    let mut pusher = Pusher::begin(stream, &[]).await;
    while !pusher.asked {
        pusher.hear().await;
    }
    pusher.stream.write_all(&answer).await.unwrap();
    task::spawn("client", async move { copy(&mut client, &mut sink()).await });
    timeout(PATIENCE, pusher.push()).await.expect("the window stays as it was");
}

const ACK: u8 = 1;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const END_HEADERS: u8 = 4;

/// How much a stream may send at first.
const WINDOW_BYTES: usize = 256 * 1024;

const PIECE_BYTES: usize = 16 * 1024;
