//! Streams of HTTP/2 that break off or stop, on either side.

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream, client, server};
use http::{Request, Response};
use tokio::time::timeout;

use super::lab::{Backend, Lab, PATIENCE};
use crate::{
    mesh::service::AppProtocol, proxy::limits::HTTP2_STREAM_WINDOW_BYTES, telemetry::task,
};

/// A client of HTTP/2, and how its request was answered by an endpoint of HTTP/2.
struct Exchange {
    lab: Lab,
    /// The client's side.
    sending: SendStream<Bytes>,
    answer: client::ResponseFuture,
    /// The endpoint's side.
    asked: RecvStream,
    respond: server::SendResponse<Bytes>,
}

impl Exchange {
    /// A request whose body has begun.
    async fn begin() -> Self {
        let backend = Backend::bind().await;
        let lab = Lab::start(&[backend.address()], AppProtocol::Http2);
        let (mut client, connection) = client::handshake(lab.connect().await).await.unwrap();
        task::spawn("http2 client", connection);
        let request = Request::post("http://shop/").body(()).unwrap();
        let (answer, mut sending) = client.send_request(request, false).unwrap();
        sending.send_data(Bytes::from_static(b"begun"), false).unwrap();
        let mut connection = server::handshake(backend.accept().await).await.unwrap();
        let accepted = timeout(PATIENCE, connection.accept()).await.expect("nothing is asked");
        let (request, respond) = accepted.unwrap().unwrap();
        task::spawn("http2 endpoint", async move { while connection.accept().await.is_some() {} });
        let mut asked = request.into_body();
        assert_eq!(asked.data().await.unwrap().unwrap(), "begun");
        Self { lab, sending, answer, asked, respond }
    }

    /// The same, answered by a response whose body has begun.
    async fn answered() -> (Self, RecvStream, SendStream<Bytes>) {
        let mut exchange = Self::begin().await;
        let mut answering = exchange.respond.send_response(Response::new(()), false).unwrap();
        answering.send_data(Bytes::from_static(b"begun"), false).unwrap();
        let answer = timeout(PATIENCE, &mut exchange.answer).await.expect("no answer").unwrap();
        let mut coming = answer.into_body();
        assert_eq!(coming.data().await.unwrap().unwrap(), "begun");
        (exchange, coming, answering)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_resets_its_stream_takes_its_request_along() {
    let Exchange { lab, mut sending, mut asked, answer, .. } = Exchange::begin().await;
    sending.send_reset(Reason::CANCEL);
    drop(answer);
    let broken = timeout(PATIENCE, asked.data()).await.expect("the request goes on");
    assert!(broken.unwrap().unwrap_err().is_reset());
    assert_eq!(lab.line(1).await["response_flags"], "DC");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_resets_its_stream_takes_the_response_along() {
    let (mut exchange, coming, mut answering) = Exchange::answered().await;
    exchange.sending.send_reset(Reason::CANCEL);
    drop(coming);
    let reset = std::future::poll_fn(|cx| answering.poll_reset(cx));
    timeout(PATIENCE, reset).await.expect("the response goes on").unwrap();
    assert_eq!(exchange.lab.line(1).await["response_flags"], "DC");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_resets_its_stream_breaks_the_response_off() {
    let (exchange, mut coming, mut answering) = Exchange::answered().await;
    answering.send_reset(Reason::INTERNAL_ERROR);
    let broken = timeout(PATIENCE, coming.data()).await.expect("the response goes on");
    assert!(broken.unwrap().unwrap_err().is_reset());
    assert_eq!(exchange.lab.line(1).await["response_flags"], "UC");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_nobody_reads_stops_the_endpoint_and_no_other_stream() {
    let (exchange, mut coming, mut answering) = Exchange::answered().await;
    let piece = Bytes::from(vec![b'w'; 16 * 1024]);
    let mut sent = 0;
    // The endpoint sends while there is room, and until there was none for a while.
    loop {
        answering.reserve_capacity(piece.len());
        let room = std::future::poll_fn(|cx| answering.poll_capacity(cx));
        let Ok(room) = timeout(std::time::Duration::from_millis(300), room).await else { break };
        let room = room.unwrap().unwrap();
        answering.send_data(piece.slice(..room), false).unwrap();
        sent += room;
    }
    // What both windows hold, and what waits between them.
    let most = 4 * HTTP2_STREAM_WINDOW_BYTES as usize;
    assert!(sent > 0 && sent <= most, "{sent} bytes were taken");
    answering.reserve_capacity(0);
    answering.send_data(Bytes::new(), true).unwrap();
    let mut read = 0;
    while let Some(piece) = timeout(PATIENCE, coming.data()).await.expect("nothing comes") {
        let piece = piece.unwrap();
        coming.flow_control().release_capacity(piece.len()).unwrap();
        read += piece.len();
    }
    assert_eq!(read, sent);
    drop(exchange);
}
