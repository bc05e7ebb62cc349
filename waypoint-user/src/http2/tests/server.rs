//! Our server's side with a client of `h2`.

use std::future::poll_fn;

use http::{Request, StatusCode};
use tokio::task::{LocalSet, spawn_local};

use super::*;
use crate::http2::{Broken, Reason, Receiving, Sending};

/// Answers each request with its own body and trailers.
async fn echo(mut body: Receiving, mut reply: Sending) -> Result<(), Broken> {
    reply.respond(StatusCode::OK, &HeaderMap::new(), false)?;
    while let Some(piece) = poll_fn(|cx| body.poll_piece(cx)).await {
        match piece? {
            Piece::Data(mut bytes) => poll_fn(|cx| reply.poll_send(&mut bytes, false, cx)).await?,
            Piece::Trailers(trailers) => return reply.trailers(&trailers),
        }
    }
    reply.end()
}

/// A client whose requests are answered with what they bring.
async fn client() -> h2::client::SendRequest<Bytes> {
    let (ours, theirs) = tokio::io::duplex(100_000);
    let mut connection = Connection::server(Memory(ours), LIMITS);
    spawn_local(async move {
        while let Some(Accepted { body, reply, .. }) =
            poll_fn(|cx| connection.poll_accept(cx)).await
        {
            spawn_local(echo(body, reply));
        }
    });
    let (client, connection) = h2::client::handshake(theirs).await.unwrap();
    spawn_local(connection);
    client.ready().await.unwrap()
}

/// A body, or what came of one.
async fn collect(mut body: h2::RecvStream) -> Result<(usize, Option<HeaderMap>), h2::Error> {
    let mut bytes = 0;
    while let Some(piece) = body.data().await {
        bytes += piece.as_ref().map_or(0, Bytes::len);
        body.flow_control().release_capacity(piece?.len())?;
    }
    Ok((bytes, body.trailers().await?))
}

/// Sends so much, as there is room for it, and trailers.
async fn pour(mut sending: h2::SendStream<Bytes>, mut bytes: usize) {
    while bytes > 0 {
        sending.reserve_capacity(bytes.min(50_000));
        let room = poll_fn(|cx| sending.poll_capacity(cx)).await.unwrap().unwrap();
        sending.send_data(vec![b'x'; room.min(bytes)].into(), false).unwrap();
        bytes -= room.min(bytes);
    }
    let trailers = HeaderMap::from_iter([(HeaderName::from_static("x-sum"), 7.into())]);
    sending.send_trailers(trailers).unwrap();
}

fn post() -> Request<()> {
    Request::post("http://shop/").body(()).unwrap()
}

#[tokio::test]
async fn long_bodies_pass_both_ways_at_once() {
    const BYTES: usize = 3 * 1024 * 1024 + 1;
    let exchange = async {
        let mut client = client().await;
        let mut all = Vec::new();
        for _ in 0..4 {
            let (answer, sending) = client.send_request(post(), false).unwrap();
            spawn_local(pour(sending, BYTES));
            all.push(spawn_local(async { collect(answer.await.unwrap().into_body()).await }));
        }
        for answer in all {
            let (bytes, trailers) = answer.await.unwrap().unwrap();
            assert_eq!((bytes, trailers.unwrap()["x-sum"].to_str().unwrap()), (BYTES, "7"));
        }
    };
    LocalSet::new().run_until(exchange).await;
}

#[tokio::test]
async fn many_requests_follow_each_other() {
    let exchange = async {
        let mut client = client().await;
        for round in 0..500 {
            client = client.ready().await.unwrap();
            let uri = format!("http://shop/{round}");
            let request = Request::get(uri).header("x-round", round).body(()).unwrap();
            let (answer, _) = client.send_request(request, true).unwrap();
            let (bytes, _) = collect(answer.await.unwrap().into_body()).await.unwrap();
            assert_eq!(bytes, 0);
        }
    };
    LocalSet::new().run_until(exchange).await;
}

#[tokio::test]
async fn a_reset_of_either_side_is_heard_by_the_other() {
    let exchange = async {
        let (ours, theirs) = tokio::io::duplex(100_000);
        let mut connection = Connection::server(Memory(ours), LIMITS);
        let (client, driving) = h2::client::handshake(theirs).await.unwrap();
        spawn_local(driving);
        let mut client = client.ready().await.unwrap();
        let (answer, mut sending) = client.send_request(post(), false).unwrap();
        let accepted = poll_fn(|cx| connection.poll_accept(cx)).await.unwrap();
        let Accepted { mut body, mut reply, .. } = accepted;
        spawn_local(
            async move { while poll_fn(|cx| connection.poll_accept(cx)).await.is_some() {} },
        );
        sending.send_reset(h2::Reason::CANCEL);
        let gone = Broken::Reset(Reason::CANCEL);
        assert_eq!(poll_fn(|cx| reply.poll_reset(cx)).await, gone);
        assert_eq!(poll_fn(|cx| body.poll_piece(cx)).await, Some(Err(gone)));
        assert!(answer.await.is_err());
    };
    LocalSet::new().run_until(exchange).await;
}
