//! The same bytes to hyper's server and to ours: the same requests, and the same verdict, unless a
//! row of [`STRICTER`] says why ours refuses more.

use std::{
    cell::RefCell,
    convert::Infallible,
    pin::{Pin, pin},
    rc::Rc,
};

use http::Version;
use hyper::{
    body::{Body as _, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

/// What we refuse and hyper does not: how we call it, and why it is refused.
const STRICTER: [(Malformed, &str); 7] = [
    (
        Malformed::Framing("more than one length"),
        "hyper takes equal lengths as one; others take the first, or add them to a list",
    ),
    (
        Malformed::Framing("both a length and a transfer coding"),
        "hyper believes the coding; whoever sent it may have meant the length",
    ),
    (
        Malformed::Framing("a transfer coding that is not chunked alone"),
        "hyper takes any coding before it; we would have to pass on what we cannot decode",
    ),
    (
        Malformed::Field("target"),
        "hyper cuts a fragment off, so that policies would not see what was asked for, and takes \
         bytes beyond ASCII, which some write in another way",
    ),
    (
        Malformed::Field("content-length"),
        "some take lengths as signed; what is longer than that is no body that anybody has",
    ),
    (
        Malformed::Syntax(httparse::Error::NewLine),
        "hyper takes a bare line feed as the end of a line; others as part of it",
    ),
    (
        Malformed::Framing("a line that should tell the size of a chunk"),
        "hyper takes control characters in extensions of chunks",
    ),
];

/// What a server made of some bytes.
#[derive(Debug, Default, Eq, PartialEq)]
struct Verdict {
    requests: Vec<Seen>,
    /// Whether the last bytes are no request.
    refused: bool,
}

/// A request.
#[derive(Debug, Eq, PartialEq)]
struct Seen {
    head: (Method, String, Version),
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    trailers: HeaderMap,
    /// Whether its body came to its end.
    complete: bool,
}

impl Seen {
    fn new(method: &Method, target: &http::Uri, version: Version, headers: &HeaderMap) -> Self {
        let field = |(name, value): (&HeaderName, &HeaderValue)| {
            (name.to_string(), value.as_bytes().to_vec())
        };
        Self {
            head: (method.clone(), target.to_string(), version),
            headers: headers.iter().map(field).collect(),
            body: Vec::new(),
            trailers: HeaderMap::new(),
            complete: false,
        }
    }
}

/// What we make of it, and why it was refused.
fn ours(bytes: &[u8]) -> (Verdict, Option<Malformed>) {
    let mut input = Bytes::copy_from_slice(bytes);
    let mut verdict = Verdict::default();
    loop {
        let head = match parse_request(&mut input) {
            Ok(Some(head)) => head,
            Ok(None) => return (verdict, None),
            Err(cause) => {
                verdict.refused = true;
                return (verdict, Some(cause));
            }
        };
        let mut seen = Seen::new(&head.method, &head.target, head.version, &head.headers);
        let taken = take_body(&mut Decoder::new(head.framing), &mut input, &mut seen);
        let ends = !seen.complete || !head.keeps;
        verdict.requests.push(seen);
        if taken.is_err() || ends {
            return (verdict, taken.err());
        }
    }
}

fn take_body(decoder: &mut Decoder, input: &mut Bytes, seen: &mut Seen) -> Result<(), Malformed> {
    loop {
        match decoder.next(input)? {
            Some(Piece::Data(bytes)) => seen.body.extend_from_slice(&bytes),
            Some(Piece::Trailers(fields)) => seen.trailers = fields,
            Some(Piece::End) => {
                seen.complete = true;
                return Ok(());
            }
            None => return Ok(()),
        }
    }
}

/// What hyper makes of it.
async fn hypers(bytes: &[u8]) -> Verdict {
    let (mut client, server) = tokio::io::duplex(1 << 20);
    client.write_all(bytes).await.unwrap();
    client.shutdown().await.unwrap();
    let all = Rc::new(RefCell::new(Vec::new()));
    let of_request = Rc::clone(&all);
    let service = service_fn(move |request: http::Request<Incoming>| {
        let all = Rc::clone(&of_request);
        async move {
            let seen = see(request).await;
            all.borrow_mut().push(seen);
            Ok::<_, Infallible>(http::Response::new(String::new()))
        }
    });
    let served = http1::Builder::new()
        .half_close(true)
        .max_headers(HEADERS_MAX)
        .max_header_size(HEADER_BYTES_MAX)
        .serve_connection(TokioIo::new(server), service)
        .await;
    let mut answers = Vec::new();
    client.read_to_end(&mut answers).await.unwrap();
    let refused = served.is_err_and(|cause| cause.is_parse());
    let requests = all.take();
    Verdict { refused: refused && requests.iter().all(|seen: &Seen| seen.complete), requests }
}

async fn see(request: http::Request<Incoming>) -> Seen {
    let (head, body) = request.into_parts();
    let mut seen = Seen::new(&head.method, &head.uri, head.version, &head.headers);
    let mut body = pin!(body);
    seen.complete = loop {
        let next = std::future::poll_fn(|cx| Pin::as_mut(&mut body).poll_frame(cx)).await;
        match next {
            None => break true,
            Some(Err(_)) => break false,
            Some(Ok(frame)) => match frame.into_data() {
                Ok(bytes) => seen.body.extend_from_slice(&bytes),
                Err(frame) => seen.trailers = frame.into_trailers().unwrap_or_default(),
            },
        }
    };
    for name in FRAMING {
        seen.trailers.remove(name);
    }
    seen
}

/// Fails unless both come to the same, or ours refuses more and a row says why.
fn compare(bytes: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let theirs = runtime.block_on(hypers(bytes));
    let (ours, cause) = ours(bytes);
    if ours == theirs {
        return;
    }
    let text = String::from_utf8_lossy(bytes);
    let known = cause.and_then(|cause| STRICTER.iter().find(|(row, _)| *row == cause));
    assert!(known.is_some(), "{text:?}: {cause:?}\nours {ours:#?}\nhyper's {theirs:#?}");
    let common = ours.requests.iter().zip(&theirs.requests);
    let same = common.clone().filter(|(ours, theirs)| ours == theirs).count();
    let whole = ours.requests.iter().take_while(|seen| seen.complete).count();
    assert!(same >= whole, "{text:?}: {cause:?}\nours {ours:#?}\nhyper's {theirs:#?}");
}

const LINES: &[&str] = &[
    "GET / HTTP/1.1\r\n",
    "GET /a?b=c HTTP/1.1\r\n",
    "POST /x HTTP/1.1\r\n",
    "PUT /x HTTP/1.0\r\n",
    "HEAD / HTTP/1.1\r\n",
    "OPTIONS * HTTP/1.1\r\n",
    "GET http://shop:81/a HTTP/1.1\r\n",
    "CUSTOM-METHOD / HTTP/1.1\r\n",
    "\r\nGET / HTTP/1.1\r\n",
    "GET /a#b HTTP/1.1\r\n",
    "GET / HTTP/1.1\n",
    "GET  / HTTP/1.1\r\n",
    "GET / HTTP/2.0\r\n",
    "GET /\r\n",
    "\u{e4} / HTTP/1.1\r\n",
    "GET /\u{e4} HTTP/1.1\r\n",
];

const FIELDS: &[&str] = &[
    "host: a\r\n",
    "Host: b:80\r\n",
    "content-length: 5\r\n",
    "content-length: 5\r\n",
    "content-length: 0\r\n",
    "content-length: 6, 6\r\n",
    "content-length: +5\r\n",
    "content-length: 9223372036854775808\r\n",
    "content-length: 18446744073709551615\r\n",
    "transfer-encoding: chunked\r\n",
    "transfer-encoding: chunked\r\n",
    "Transfer-Encoding: Chunked\r\n",
    "transfer-encoding: gzip, chunked\r\n",
    "transfer-encoding: gzip\r\n",
    "transfer-encoding: chunked, gzip\r\n",
    "connection: close\r\n",
    "connection: keep-alive\r\n",
    "connection: x, Keep-Alive\r\n",
    "expect: 100-continue\r\n",
    "te: trailers\r\n",
    "x: \u{fc}\r\n",
    "x:\r\n",
    "x: a\tb \r\n",
    "x : y\r\n",
    " folded\r\n",
    "x: y\n",
    "x: a\rb\r\n",
    "x: \0\r\n",
    "x\r\n",
];

const BODIES: &[&str] = &[
    "",
    "hello",
    "5\r\nhello\r\n0\r\n\r\n",
    "5;a=b\r\nhello\r\n0\r\n\r\n",
    "5 \r\nhello\r\n0\r\nx-sum: 1\r\n\r\n",
    "2\r\nhe\r\n3\r\nllo\r\n0\r\nhost: x\r\n\r\n",
    "5\r\nhelloX\r\n0\r\n\r\n",
    "5\nhello\r\n0\r\n\r\n",
    "5;\x01\r\nhello\r\n0\r\n\r\n",
    "5;a\nb\r\nhello\r\n0\r\n\r\n",
    "g\r\n",
    "0\r\nx: y\n\r\n",
    "00005\r\nhello\r\n000\r\n\r\n",
    "10000000000000000\r\n",
    "5\r\nhel",
];

/// A request, as likely as not in order.
fn request() -> impl Strategy<Value = String> {
    let text = |all: &'static [&'static str]| proptest::sample::select(all);
    let fields = proptest::collection::vec(text(FIELDS), 0..5);
    (text(LINES), fields, text(BODIES))
        .prop_map(|(line, fields, body)| format!("{line}{}\r\n{body}", fields.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn hyper_and_we_understand_the_same(
        requests in proptest::collection::vec(request(), 1..4),
        edits in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..2),
    ) {
        let mut bytes = requests.concat().into_bytes();
        for (place, byte) in edits {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        compare(&bytes);
    }
}

#[test]
fn each_reason_to_be_stricter_is_one() {
    let chunked = "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n";
    let refused = [
        "POST / HTTP/1.1\r\ncontent-length: 0\r\ncontent-length: 0\r\n\r\n".to_owned(),
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n0\r\n\r\n"
            .to_owned(),
        "POST / HTTP/1.1\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n".to_owned(),
        "GET /a#b HTTP/1.1\r\n\r\n".to_owned(),
        "POST / HTTP/1.1\r\ncontent-length: 9223372036854775808\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\nhost: a\r\n\r\n".to_owned(),
        format!("{chunked}1;\x01\r\nx\r\n0\r\n\r\n"),
    ];
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for (text, (row, why)) in refused.iter().zip(STRICTER) {
        let (ours, cause) = ours(text.as_bytes());
        assert_eq!(cause, Some(row), "{text:?}: {why}");
        let theirs = runtime.block_on(hypers(text.as_bytes()));
        assert_ne!(ours, theirs, "hyper refuses {text:?} as well now, so the row can go");
    }
}
