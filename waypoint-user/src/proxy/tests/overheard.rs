//! An endpoint that answers before it has read all of the request.

use bytes::Bytes;
use h2::{RecvStream, SendStream, server};
use http::{Request, Response, StatusCode};
use tokio::{io::AsyncWriteExt, sync::mpsc, time::timeout};

use super::{
    lab::{Backend, Lab, PATIENCE, read_to_end},
    traffic::{govern, retry},
};
use crate::{
    mesh::{service::AppProtocol, traffic_policy::RetryOn},
    telemetry::task,
};

type Stream = (Request<RecvStream>, server::SendResponse<Bytes>);

/// The requests of a connection by HTTP/2.
fn requests(backend: Backend) -> mpsc::UnboundedReceiver<Stream> {
    let (sender, receiver) = mpsc::unbounded_channel();
    task::spawn("http2 endpoint", async move {
        let mut connection = server::handshake(backend.accept().await).await.unwrap();
        while let Some(Ok(stream)) = connection.accept().await {
            sender.send(stream).unwrap();
        }
    });
    receiver
}

async fn next(requests: &mut mpsc::UnboundedReceiver<Stream>) -> Stream {
    timeout(PATIENCE, requests.recv()).await.expect("no request").unwrap()
}

fn answer(respond: &mut server::SendResponse<Bytes>, status: StatusCode) -> SendStream<Bytes> {
    let mut response = Response::new(());
    *response.status_mut() = status;
    respond.send_response(response, true).unwrap()
}

async fn data(body: &mut RecvStream) -> Option<Result<Bytes, h2::Error>> {
    timeout(PATIENCE, body.data()).await.expect("nothing of the body comes")
}

#[tokio::test(flavor = "multi_thread")]
async fn who_answered_before_all_was_sent_gets_no_more_of_it() {
    let backend = Backend::bind().await;
    let lab = Lab::start_with(
        &[backend.address()],
        AppProtocol::Http2,
        |_| {},
        |contents, _| {
            govern(contents, |policy| {
                policy.requests.retry = Some(retry(&[RetryOn::ServerError], 1));
            });
        },
    );
    let mut requests = requests(backend);
    let mut client = lab.connect().await;
    let post = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\nconnection: close\r\n\r\n";
    client.write_all(format!("{post}hello").as_bytes()).await.unwrap();
    let (first, mut respond) = next(&mut requests).await;
    let mut first = first.into_body();
    assert_eq!(data(&mut first).await.unwrap().unwrap(), "hello");
    let _kept = answer(&mut respond, StatusCode::SERVICE_UNAVAILABLE);
    let (second, mut respond) = next(&mut requests).await;
    let mut second = second.into_body();
    assert_eq!(data(&mut second).await.unwrap().unwrap(), "hello");
    assert!(data(&mut first).await.is_some_and(|got| got.is_err()), "the first try goes on");
    client.write_all(b"world").await.unwrap();
    assert_eq!(data(&mut second).await.unwrap().unwrap(), "world");
    let _kept = answer(&mut respond, StatusCode::OK);
    let answer = read_to_end(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}
