//! A client of HTTP/2 with prior knowledge, and what it asks.

use std::{collections::BTreeSet, net::TcpStream};

use anyhow::{Context, Result};
use bytes::Bytes;
use h2::client;
use http::{HeaderMap, HeaderName, HeaderValue, Request};

use crate::{
    cases::{Answer, LENGTH_ONLY, OK},
    message::{Head, Message},
};

/// A request of HTTP/2.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) name: &'static str,
    method: &'static str,
    target: &'static str,
    fields: &'static [(&'static str, &'static str)],
    body: Option<&'static str>,
    trailers: &'static [(&'static str, &'static str)],
    pub(crate) answer: Answer,
}

/// A `GET` of `/`.
const GET: Call = Call {
    name: "",
    method: "GET",
    target: "http://recorder/",
    fields: &[],
    body: None,
    trailers: &[],
    answer: OK,
};

/// What is asked.
pub(crate) const CALLS: &[Call] = &[
    Call { name: "h2 get", ..GET },
    Call { name: "h2 path", target: "http://recorder/a/../b/%61%2Fc?q=%2e", ..GET },
    Call { name: "h2 head", method: "HEAD", answer: LENGTH_ONLY, ..GET },
    Call { name: "h2 options", method: "OPTIONS", ..GET },
    Call { name: "h2 body", method: "POST", body: Some("hello"), ..GET },
    Call {
        name: "h2 body of known length",
        method: "POST",
        fields: &[("content-length", "5")],
        body: Some("hello"),
        ..GET
    },
    Call {
        name: "h2 trailers",
        method: "POST",
        body: Some("hello"),
        trailers: &[("x-sum", "1")],
        ..GET
    },
    Call { name: "h2 te", fields: &[("te", "trailers")], ..GET },
    Call { name: "h2 cookies", fields: &[("cookie", "a=1"), ("cookie", "b=2")], ..GET },
    Call { name: "h2 host", fields: &[("host", "other")], ..GET },
    Call {
        name: "h2 expects leave",
        method: "POST",
        fields: &[("expect", "100-continue")],
        body: Some("hello"),
        ..GET
    },
    Call { name: "h2 no content", answer: Answer::of(b"HTTP/1.1 204 No Content\r\n\r\n"), ..GET },
    Call {
        name: "h2 answer in chunks",
        answer: Answer::of(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n\
              2\r\nok\r\n0\r\nx-sum: 1\r\n\r\n",
        ),
        ..GET
    },
    Call {
        name: "h2 answer for one hop",
        answer: Answer::of(
            b"HTTP/1.1 200 OK\r\nconnection: keep-alive, x-hop\r\nx-hop: 1\r\n\
              keep-alive: timeout=5\r\nproxy-connection: keep-alive\r\ncontent-length: 2\r\n\r\nok",
        ),
        ..GET
    },
];

/// Makes a call; what came back, in lines.
pub(crate) fn ask(stream: TcpStream, call: &Call, client: &str) -> Result<BTreeSet<String>> {
    stream.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answered = runtime.block_on(async {
        let stream = tokio::net::TcpStream::from_std(stream)?;
        let (sender, connection) = client::handshake(stream).await?;
        #[allow(clippy::disallowed_methods, reason = "it ends with the runtime")]
        let _driver = tokio::spawn(connection);
        answer(sender, call).await
    });
    let message = match answered {
        Ok(message) => message,
        Err(error) => return Ok(BTreeSet::from([format!("refused: {error:#}")])),
    };
    Ok(message.lines(client))
}

async fn answer(sender: client::SendRequest<Bytes>, call: &Call) -> Result<Message> {
    let mut request = Request::builder().method(call.method).uri(call.target).body(())?;
    *request.version_mut() = http::Version::HTTP_2;
    request.headers_mut().extend(fields(call.fields)?);
    let ends = call.body.is_none();
    let (response, mut body) = sender.ready().await?.send_request(request, ends)?;
    if let Some(text) = call.body {
        body.send_data(Bytes::from(text), call.trailers.is_empty())?;
        if !call.trailers.is_empty() {
            body.send_trailers(fields(call.trailers)?)?;
        }
    }
    let (head, mut body) = response.await?.into_parts();
    let mut bytes = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece?;
        body.flow_control().release_capacity(piece.len())?;
        bytes.extend(piece);
    }
    let trailers = body.trailers().await?.unwrap_or_default();
    let start = head.status.as_str().to_owned();
    let head = Head { start, fields: texts(&head.headers) };
    Ok(Message { head, framing: "of a stream", body: bytes, trailers: texts(&trailers) })
}

fn fields(of: &[(&'static str, &'static str)]) -> Result<HeaderMap> {
    let mut fields = HeaderMap::new();
    for (name, value) in of {
        let name: HeaderName = name.parse().context("a name")?;
        fields.append(name, HeaderValue::from_static(value));
    }
    Ok(fields)
}

fn texts(of: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| value.as_bytes().escape_ascii().to_string();
    of.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}
