//! The same fields through the `h2` crate on the other side.

use http::{Request, Response};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use super::*;

/// The next frame with a block, which is whole in it: its type, its stream and its payload.
async fn next_block(wire: &mut DuplexStream) -> Vec<u8> {
    loop {
        let mut head = [0; 9];
        wire.read_exact(&mut head).await.unwrap();
        let len = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let mut payload = vec![0; len];
        wire.read_exact(&mut payload).await.unwrap();
        if head[3] == HEADERS {
            assert_eq!(head[4] & !END_STREAM, END_HEADERS);
            return payload;
        }
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&len[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// What a request says, its fields in a known order.
fn told(request: &Request<h2::RecvStream>) -> Vec<(String, String)> {
    let uri = request.uri();
    let pseudo = [
        (":method", request.method().as_str()),
        (":scheme", uri.scheme_str().unwrap()),
        (":authority", uri.authority().unwrap().as_str()),
        (":path", uri.path()),
    ];
    let fields = request.headers().iter();
    let fields = fields.map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
    sorted(owned(&pseudo.into_iter().chain(fields).collect::<Vec<_>>()))
}

fn sorted(mut fields: Vec<(String, String)>) -> Vec<(String, String)> {
    fields.sort();
    fields
}

/// Has the other side decode what we encode.
async fn through_their_decoder(all: &[Vec<(String, String)>]) -> Vec<Vec<(String, String)>> {
    let (mut ours, theirs) = duplex(1 << 20);
    ours.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    ours.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
    let mut encoder = Encoder::new();
    for (fields, stream) in all.iter().zip((1..).step_by(2)) {
        let block = encode(&mut encoder, fields);
        let frame = frame(HEADERS, END_HEADERS | END_STREAM, stream, &block);
        ours.write_all(&frame).await.unwrap();
    }
    let mut server = h2::server::handshake(theirs).await.unwrap();
    let mut requests = Vec::new();
    for _ in all {
        let (request, mut respond) = server.accept().await.unwrap().unwrap();
        requests.push(told(&request));
        respond.send_response(Response::new(()), true).unwrap();
    }
    requests
}

/// Decodes what the other side encodes.
async fn through_their_encoder(all: &[Vec<(String, String)>]) -> Vec<Vec<(String, String)>> {
    let (mut ours, theirs) = duplex(1 << 20);
    let (client, connection) = h2::client::handshake(theirs).await.unwrap();
    let asking = async {
        let mut preface = [0; 24];
        ours.read_exact(&mut preface).await.unwrap();
        ours.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
        let (mut decoder, mut requests) = (Decoder::new(TABLE_BYTES), Vec::new());
        for fields in all {
            let uri = format!("http://{}{}", fields[2].1, fields[3].1);
            let mut request = Request::builder().uri(uri).body(()).unwrap();
            for (name, value) in &fields[4..] {
                let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
                request.headers_mut().append(name, HeaderValue::from_str(value).unwrap());
            }
            let mut client = client.clone().ready().await.unwrap();
            drop(client.send_request(request, true).unwrap());
            let block = next_block(&mut ours).await;
            requests.push(sorted(decode(&mut decoder, &block).unwrap()));
        }
        requests
    };
    tokio::select! {
        ended = connection => panic!("it ended: {ended:?}"),
        requests = asking => requests,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn fields_mean_the_same_to_both(all in requests()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let expected: Vec<_> = all.iter().cloned().map(sorted).collect();
        prop_assert_eq!(&runtime.block_on(through_their_decoder(&all)), &expected);
        prop_assert_eq!(&runtime.block_on(through_their_encoder(&all)), &expected);
    }
}

const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
