//! The core of HTTP/2, by bytes that are written here, and with another implementation on the other
//! side.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use super::{
    Accepted, Connection, Io, Limits, Piece,
    frame::{
        ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, Head, PREFACE, SETTINGS,
        put_settings, put_settings_ack,
    },
    hpack::Encoder,
};

mod carried;
mod chaos;
mod chatter;
mod client;
mod ends;
mod floods;
mod frames;
mod growth;
mod lengths;
mod output;
mod peer;
mod pulse;
mod server;
mod shares;
mod windows;

/// Limits that are hit soon.
const LIMITS: Limits = Limits {
    streams_max: 8,
    stream_window: 256 * 1024,
    connection_window: 1024 * 1024,
    payload_max: 16 * 1024,
    list_bytes_max: 16 * 1024,
    send_bytes_max: 256 * 1024,
    unseen_resets_max: 4,
    error_resets_max: 16,
    early_resets_max: 24,
    grants_changes: true,
};

/// What is read is written here beforehand, and what is sent is kept.
#[derive(Clone, Default)]
struct Script {
    input: Rc<RefCell<VecDeque<Bytes>>>,
    output: Rc<RefCell<BytesMut>>,
    /// Whether the peer reads nothing.
    stuck: Rc<Cell<bool>>,
}

impl Io for Script {
    fn poll_fill(&mut self, _: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        self.input.borrow_mut().pop_front().map_or(Poll::Pending, |bytes| Poll::Ready(Ok(bytes)))
    }

    fn poll_send(
        &mut self,
        queue: &mut VecDeque<Bytes>,
        _: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if self.stuck.get() {
            return Poll::Pending;
        }
        queue.drain(..).for_each(|bytes| self.output.borrow_mut().put(bytes));
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A server's side that is driven by hand, and the client's side as bytes.
struct Bench {
    script: Script,
    connection: Connection<Script>,
    encoder: Encoder,
    accepted: Vec<Accepted>,
}

impl Bench {
    /// A connection whose client has said that it understands HTTP/2.
    fn new() -> Self {
        let mut bench = Self::silent();
        let mut bytes = BytesMut::from(PREFACE);
        put_settings(&[], &mut bytes);
        put_settings_ack(&mut bytes);
        bench.feed(&bytes);
        bench.sent();
        bench
    }

    /// A connection whose client has said nothing.
    fn silent() -> Self {
        let script = Script::default();
        let connection = Connection::server(script.clone(), LIMITS);
        Self { script, connection, encoder: Encoder::new(), accepted: Vec::new() }
    }

    /// Has the connection read bytes.
    fn feed(&mut self, bytes: &[u8]) {
        self.script.input.borrow_mut().push_back(Bytes::copy_from_slice(bytes));
        self.drive();
    }

    /// Goes on until nothing happens any more.
    fn drive(&mut self) {
        while let Poll::Ready(Some(accepted)) = self.connection.poll_accept(&mut context()) {
            self.accepted.push(accepted);
        }
    }

    /// What was sent since it was asked last, as frames.
    fn sent(&mut self) -> Vec<(Head, Bytes)> {
        self.drive();
        let closed = self.connection.failed().is_some();
        if closed {
            // The end of this side is not waited for.
            drop(self.connection.poll_close(&mut context()));
        }
        let mut output = self.script.output.borrow_mut().split().freeze();
        let mut frames = Vec::new();
        while let Some(head) = Head::parse(&output) {
            output.advance(super::frame::HEAD_BYTES);
            frames.push((head, output.split_to(head.len)));
        }
        assert!(output.is_empty(), "half a frame was sent");
        frames
    }

    /// A request that ends with its head.
    fn ask(&mut self, id: u32, path: &str, ends: bool) -> BytesMut {
        let block = self.block(&Method::GET, path, &[]);
        headers(id, END_HEADERS | if ends { END_STREAM } else { 0 }, &block)
    }

    fn block(&mut self, method: &Method, path: &str, fields: &[(&str, &str)]) -> BytesMut {
        let mut block = BytesMut::new();
        self.encoder.begin(&mut block);
        self.encoder.method(method, &mut block);
        self.encoder.scheme("http", &mut block);
        self.encoder.authority("shop", &mut block);
        self.encoder.path(path, &mut block);
        for (name, value) in fields {
            let name = HeaderName::try_from(*name).unwrap();
            self.encoder.field(&name, &HeaderValue::try_from(*value).unwrap(), &mut block);
        }
        block
    }

    /// All of a body that has come, and how it ended, if it did.
    fn read(&mut self, which: usize) -> (Vec<u8>, Option<Result<HeaderMap, super::Broken>>) {
        let (mut all, mut trailers) = (Vec::new(), HeaderMap::new());
        let body = &mut self.accepted[which].body;
        loop {
            match body.poll_piece(&mut context()) {
                Poll::Pending => return (all, None),
                Poll::Ready(None) => return (all, Some(Ok(trailers))),
                Poll::Ready(Some(Err(broken))) => return (all, Some(Err(broken))),
                Poll::Ready(Some(Ok(Piece::Data(bytes)))) => all.extend_from_slice(&bytes),
                Poll::Ready(Some(Ok(Piece::Trailers(fields)))) => trailers = fields,
            }
        }
    }

    /// The reason of the one frame of this kind that was sent.
    fn told(&mut self, kind: u8) -> Option<super::Reason> {
        let sent = self.sent();
        let frame = sent.iter().find(|(head, _)| head.kind == kind);
        let code = frame.and_then(|(_, payload)| payload.last_chunk::<4>().copied());
        code.map(|code| u32::from_be_bytes(code).into())
    }
}

fn context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

fn frame(kind: u8, flags: u8, id: u32, payload: &[u8]) -> BytesMut {
    let mut bytes = BytesMut::new();
    Head { len: payload.len(), kind, flags, id }.put(&mut bytes);
    bytes.put_slice(payload);
    bytes
}

fn headers(id: u32, flags: u8, block: &[u8]) -> BytesMut {
    frame(HEADERS, flags, id, block)
}

fn body(id: u32, payload: &[u8], ends: bool) -> BytesMut {
    frame(DATA, if ends { END_STREAM } else { 0 }, id, payload)
}

/// A stream in memory.
struct Memory(DuplexStream);

impl Io for Memory {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        let mut room = [0; 16_000];
        let mut buffer = ReadBuf::new(&mut room);
        ready!(Pin::new(&mut self.0).poll_read(cx, &mut buffer))?;
        Poll::Ready(Ok(Bytes::copy_from_slice(buffer.filled())))
    }

    fn poll_send(
        &mut self,
        queue: &mut VecDeque<Bytes>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(first) = queue.front_mut() else { return Poll::Ready(Ok(())) };
        let sent = ready!(Pin::new(&mut self.0).poll_write(cx, first))?;
        first.advance(sent);
        if first.is_empty() {
            queue.pop_front();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
