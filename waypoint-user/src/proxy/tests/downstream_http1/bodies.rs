//! Bodies of all sizes, cut anywhere.

use std::convert::Infallible;

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::timeout,
};

use super::{
    super::lab::{Backend, PATIENCE},
    start,
};
use crate::{
    http1::{Decoder, Piece, parse_response},
    telemetry::task,
};

/// Sends bodies back as they come.
fn echo_bodies(backend: Backend) {
    task::spawn("echo bodies", async move {
        loop {
            let stream = backend.0.accept().await.unwrap().0;
            let service = service_fn(|request: Request<Incoming>| async move {
                Ok::<_, Infallible>(Response::new(request.into_body()))
            });
            let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            task::spawn("echo connection", serving);
        }
    });
}

/// The body of a request, which is its own.
fn body(number: usize, len: usize) -> Vec<u8> {
    let byte = |place: usize| u8::try_from((place * 31 + place / 251 + number) % 256);
    (0..len).map(|place| byte(place).unwrap()).collect()
}

/// A request with this body, in chunks or not.
fn request(body: &[u8], chunk: Option<usize>) -> Vec<u8> {
    let head = "POST /echo HTTP/1.1\r\nhost: a\r\n";
    let Some(chunk) = chunk else {
        return [format!("{head}content-length: {}\r\n\r\n", body.len()).as_bytes(), body].concat();
    };
    let mut all = format!("{head}transfer-encoding: chunked\r\n\r\n").into_bytes();
    for piece in body.chunks(chunk) {
        all.extend_from_slice(format!("{:x};x=y\r\n", piece.len()).as_bytes());
        all.extend_from_slice(piece);
        all.extend_from_slice(b"\r\n");
    }
    all.extend_from_slice(b"0\r\n\r\n");
    all
}

/// Writes in pieces that nobody expects.
async fn write(mut to: OwnedWriteHalf, all: Vec<u8>, mut chance: fastrand::Rng) -> OwnedWriteHalf {
    let mut rest = &all[..];
    while !rest.is_empty() {
        let most = if chance.bool() { 40 } else { 200_000 };
        let (piece, after) = rest.split_at(chance.usize(1..=most).min(rest.len()));
        to.write_all(piece).await.unwrap();
        rest = after;
    }
    to
}

/// Reads the body of the next response.
async fn read(from: &mut OwnedReadHalf, input: &mut Bytes) -> Vec<u8> {
    let mut body = Vec::new();
    let mut decoder = None;
    loop {
        if decoder.is_none()
            && let Some(head) = parse_response(input, false).unwrap()
        {
            assert_eq!(head.status, 200);
            decoder = Some(Decoder::new(head.framing));
        }
        let piece = decoder.as_mut().map(|decoder| decoder.next(input).unwrap());
        match piece.flatten() {
            Some(Piece::Data(bytes)) => body.extend_from_slice(&bytes),
            Some(Piece::Trailers(_)) => {}
            Some(Piece::End) => return body,
            None => {
                let mut more = BytesMut::from(&input[..]);
                let read = timeout(PATIENCE, from.read_buf(&mut more)).await;
                assert_ne!(read.expect("nothing comes").unwrap(), 0, "the connection ended");
                *input = more.freeze();
            }
        }
    }
}

#[tokio::test]
async fn bodies_of_all_sizes_pass_however_they_are_cut() {
    let (_lab, client, backend) = start().await;
    echo_bodies(backend);
    pass_through(client, fastrand::Rng::with_seed(7)).await;
}

async fn pass_through(client: TcpStream, mut chance: fastrand::Rng) {
    let sizes = [0, 1, 100, 5_000, 16_384, 70_000, 700_000];
    let mut all = Vec::new();
    let mut bodies = Vec::new();
    for number in 0..60 {
        let body = body(number, sizes[chance.usize(..sizes.len())]);
        let chunk = chance.bool().then(|| chance.usize(1..=100_000));
        all.extend_from_slice(&request(&body, chunk));
        bodies.push(body);
    }
    let (mut from, to) = client.into_split();
    let writing = task::spawn("client", write(to, all, chance));
    let mut input = Bytes::new();
    for (number, body) in bodies.iter().enumerate() {
        let answer = read(&mut from, &mut input).await;
        assert!(answer == *body, "body {number}: {} of {} bytes", answer.len(), body.len());
    }
    writing.await.unwrap();
}
