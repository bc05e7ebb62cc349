//! The requests of HTTP/1 that both get, byte by byte, and what the backend answers.

/// What the backend sends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    /// After the head of a request.
    pub(crate) at_head: &'static [u8],
    /// After all of it.
    pub(crate) at_end: &'static [u8],
    /// Whether it closes the connection then.
    pub(crate) closes: bool,
}

/// What is asked, and what is answered by the backend.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) request: &'static [u8],
    /// What is sent when the client is told to go on.
    pub(crate) rest: &'static [u8],
    pub(crate) answer: Answer,
    /// How many answers are waited for.
    pub(crate) answers: usize,
}

impl Answer {
    /// Bytes when the request is there.
    pub(crate) const fn of(at_end: &'static [u8]) -> Self {
        Self { at_head: b"", at_end, closes: false }
    }

    const fn then_closes(self) -> Self {
        Self { closes: true, ..self }
    }
}

impl Default for Answer {
    fn default() -> Self {
        OK
    }
}

/// The answer of most cases.
pub(crate) const OK: Answer = Answer::of(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");

/// The answer to `HEAD`.
pub(crate) const LENGTH_ONLY: Answer = Answer::of(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n");

/// A request that the backend answers as usual.
const fn asked(name: &'static str, request: &'static [u8]) -> Case {
    Case { name, request, rest: b"", answer: OK, answers: 1 }
}

/// The usual request, answered so.
const fn answered(name: &'static str, bytes: &'static [u8]) -> Case {
    let request = b"GET /x HTTP/1.1\r\nhost: recorder\r\n\r\n";
    Case { name, request, rest: b"", answer: Answer::of(bytes), answers: 1 }
}

/// The same of a backend that closes the connection.
const fn ended(name: &'static str, bytes: &'static [u8]) -> Case {
    let case = answered(name, bytes);
    Case { answer: case.answer.then_closes(), ..case }
}

/// Everything that is asked by HTTP/1.
pub(crate) fn all() -> impl Iterator<Item = &'static Case> {
    [METHODS, TARGETS, HEADS, BODIES, HOPS, ANSWERS].into_iter().flatten()
}

const METHODS: &[Case] = &[
    asked("get", b"GET / HTTP/1.1\r\nhost: recorder\r\n\r\n"),
    Case { answer: LENGTH_ONLY, ..asked("head", b"HEAD / HTTP/1.1\r\nhost: recorder\r\n\r\n") },
    asked("delete", b"DELETE /a HTTP/1.1\r\nhost: recorder\r\n\r\n"),
    asked("post", b"POST / HTTP/1.1\r\nhost: recorder\r\ncontent-length: 5\r\n\r\nhello"),
    asked("post nothing", b"POST / HTTP/1.1\r\nhost: recorder\r\n\r\n"),
    asked("put of no length", b"PUT / HTTP/1.1\r\nhost: recorder\r\ncontent-length: 0\r\n\r\n"),
    asked("trace", b"TRACE / HTTP/1.1\r\nhost: recorder\r\n\r\n"),
    asked("method of no registry", b"BREW / HTTP/1.1\r\nhost: recorder\r\n\r\n"),
    asked("method in small letters", b"get / HTTP/1.1\r\nhost: recorder\r\n\r\n"),
    asked("connect", b"CONNECT recorder:80 HTTP/1.1\r\nhost: recorder:80\r\n\r\n"),
    asked("options of everything", b"OPTIONS * HTTP/1.1\r\nhost: recorder\r\n\r\n"),
    asked("get of everything", b"GET * HTTP/1.1\r\nhost: recorder\r\n\r\n"),
    Case {
        answers: 2,
        ..asked(
            "two at once",
            b"GET /1 HTTP/1.1\r\nhost: recorder\r\n\r\nGET /2 HTTP/1.1\r\nhost: recorder\r\n\r\n",
        )
    },
    asked("close", b"GET / HTTP/1.1\r\nhost: recorder\r\nconnection: close\r\n\r\n"),
    asked("empty line first", b"\r\nGET / HTTP/1.1\r\nhost: recorder\r\n\r\n"),
];

const TARGETS: &[Case] = &[
    asked("absolute", b"GET http://recorder/abs?q HTTP/1.1\r\nhost: recorder\r\n\r\n"),
    asked("absolute of another host", b"GET http://recorder/ HTTP/1.1\r\nhost: other\r\n\r\n"),
    asked("absolute without path", b"GET http://recorder HTTP/1.1\r\nhost: recorder\r\n\r\n"),
    asked("absolute with TLS", b"GET https://recorder/ HTTP/1.1\r\nhost: recorder\r\n\r\n"),
    asked("dot segments", b"GET /a/../b/./c HTTP/1.1\r\nhost: recorder\r\n\r\n"),
    asked("dots beyond the root", b"GET /../../x HTTP/1.1\r\nhost: recorder\r\n\r\n"),
    asked("escaped letters", b"GET /%61/%2e%2E/%7e HTTP/1.1\r\nhost: recorder\r\n\r\n"),
    asked("escaped slash", b"GET /a%2Fb%5Cc HTTP/1.1\r\nhost: recorder\r\n\r\n"),
    asked("half of an escape", b"GET /a%2 HTTP/1.1\r\nhost: recorder\r\n\r\n"),
    asked("two slashes", b"GET //a//b HTTP/1.1\r\nhost: recorder\r\n\r\n"),
    asked("backslash", b"GET /a\\b HTTP/1.1\r\nhost: recorder\r\n\r\n"),
    asked("query", b"GET /a?q=%2e&x=/../y&&z HTTP/1.1\r\nhost: recorder\r\n\r\n"),
    asked("fragment", b"GET /a#b HTTP/1.1\r\nhost: recorder\r\n\r\n"),
    asked("no slash", b"GET index HTTP/1.1\r\nhost: recorder\r\n\r\n"),
    asked("letters beyond ASCII", b"GET /\xc3\xa9 HTTP/1.1\r\nhost: recorder\r\n\r\n"),
    asked("control character", b"GET /a\x01b HTTP/1.1\r\nhost: recorder\r\n\r\n"),
];

const HEADS: &[Case] = &[
    asked("version 1.0", b"GET / HTTP/1.0\r\nhost: recorder\r\n\r\n"),
    asked("version 1.0 without host", b"GET / HTTP/1.0\r\n\r\n"),
    asked("version 1.0 that keeps", b"GET / HTTP/1.0\r\nhost: a\r\nconnection: keep-alive\r\n\r\n"),
    asked("version 1.2", b"GET / HTTP/1.2\r\nhost: recorder\r\n\r\n"),
    asked("version 3.0", b"GET / HTTP/3.0\r\nhost: recorder\r\n\r\n"),
    asked("no version", b"GET /\r\nhost: recorder\r\n\r\n"),
    asked("no host", b"GET / HTTP/1.1\r\n\r\n"),
    asked("empty host", b"GET / HTTP/1.1\r\nhost:\r\n\r\n"),
    asked("two hosts", b"GET / HTTP/1.1\r\nhost: recorder\r\nhost: other\r\n\r\n"),
    asked("host with a user", b"GET / HTTP/1.1\r\nhost: me@recorder\r\n\r\n"),
    asked("host with a path", b"GET / HTTP/1.1\r\nhost: recorder/a\r\n\r\n"),
    asked("host with a port", b"GET / HTTP/1.1\r\nHost: Recorder:80\r\n\r\n"),
    asked("spaces", b"GET / HTTP/1.1\r\nhost: recorder\r\nX-A:  \t1 2\t \r\nx-b:\r\n\r\n"),
    asked("repeated", b"GET / HTTP/1.1\r\nhost: recorder\r\nX-A: 1\r\nx-b: 1\r\nx-A: 2\r\n\r\n"),
    asked("cookies", b"GET / HTTP/1.1\r\nhost: recorder\r\ncookie: a=1\r\ncookie: b=2\r\n\r\n"),
    asked("underscore", b"GET / HTTP/1.1\r\nhost: recorder\r\nx_a: 1\r\n\r\n"),
    asked("space before colon", b"GET / HTTP/1.1\r\nhost: recorder\r\nx-a : 1\r\n\r\n"),
    asked("folded", b"GET / HTTP/1.1\r\nhost: recorder\r\nx-a: 1\r\n 2\r\n\r\n"),
    asked("no name", b"GET / HTTP/1.1\r\nhost: recorder\r\n: 1\r\n\r\n"),
    asked("no colon", b"GET / HTTP/1.1\r\nhost: recorder\r\nx-a\r\n\r\n"),
    asked("value beyond ASCII", b"GET / HTTP/1.1\r\nhost: recorder\r\nx-a: \xe9\r\n\r\n"),
    asked("zero", b"GET / HTTP/1.1\r\nhost: recorder\r\nx-a: a\0b\r\n\r\n"),
    asked("bare carriage return", b"GET / HTTP/1.1\r\nhost: recorder\r\nx-a: a\rb\r\n\r\n"),
    asked("bare line feeds", b"GET / HTTP/1.1\nhost: recorder\n\n"),
    asked("not HTTP", b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"),
    asked(
        "forged by a client",
        b"GET / HTTP/1.1\r\nhost: recorder\r\nx-request-id: mine\r\n\
          x-forwarded-for: 1.2.3.4\r\nx-forwarded-proto: https\r\nforwarded: for=1.2.3.4\r\n\
          x-forwarded-client-cert: By=a\r\nx-envoy-original-path: /a\r\n\
          x-envoy-internal: true\r\nx-waypoint-a: 1\r\n\r\n",
    ),
];

const BODIES: &[Case] = &[
    asked(
        "chunks",
        b"POST / HTTP/1.1\r\nhost: recorder\r\ntransfer-encoding: chunked\r\n\r\n\
          3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
    ),
    asked(
        "coding in capitals",
        b"POST / HTTP/1.1\r\nhost: recorder\r\n\
          Transfer-Encoding: CHUNKED\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ),
    asked(
        "extensions of chunks",
        b"POST / HTTP/1.1\r\nhost: recorder\r\n\
          transfer-encoding: chunked\r\n\r\n5;a=1;b=\"2\"\r\nhello\r\n0;c\r\n\r\n",
    ),
    asked(
        "trailers",
        b"POST / HTTP/1.1\r\nhost: recorder\r\ntransfer-encoding: chunked\r\n\
          trailer: x-sum\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n",
    ),
    asked(
        "trailers that frame",
        b"POST / HTTP/1.1\r\nhost: recorder\r\n\
          transfer-encoding: chunked\r\n\r\n0\r\ncontent-length: 5\r\nhost: other\r\n\r\n",
    ),
    asked("body of a get", b"GET / HTTP/1.1\r\nhost: recorder\r\ncontent-length: 2\r\n\r\nhi"),
    asked(
        "length and chunks",
        b"POST / HTTP/1.1\r\nhost: recorder\r\ncontent-length: 5\r\n\
          transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    asked(
        "the same length twice",
        b"POST / HTTP/1.1\r\nhost: recorder\r\ncontent-length: 2\r\n\
          content-length: 2\r\n\r\nhi",
    ),
    asked(
        "two lengths",
        b"POST / HTTP/1.1\r\nhost: recorder\r\ncontent-length: 2\r\n\
          content-length: 3\r\n\r\nhi!",
    ),
    asked("a list of lengths", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2, 2\r\n\r\nhi"),
    asked("length with a sign", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: +2\r\n\r\nhi"),
    asked("length below zero", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -2\r\n\r\nhi"),
    asked(
        "coding before chunks",
        b"POST / HTTP/1.1\r\nhost: recorder\r\n\
          transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    ),
    asked(
        "chunks twice",
        b"POST / HTTP/1.1\r\nhost: recorder\r\ntransfer-encoding: chunked\r\n\
          transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    asked("identity", b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: identity\r\n\r\n"),
    asked(
        "chunks of version 1.0",
        b"POST / HTTP/1.0\r\nhost: recorder\r\n\
          transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    asked(
        "size that is none",
        b"POST / HTTP/1.1\r\nhost: recorder\r\n\
          transfer-encoding: chunked\r\n\r\nxyz\r\nhello\r\n0\r\n\r\n",
    ),
    asked(
        "size of 68 bits",
        b"POST / HTTP/1.1\r\nhost: recorder\r\n\
          transfer-encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n",
    ),
    asked(
        "longer than its size",
        b"POST / HTTP/1.1\r\nhost: recorder\r\n\
          transfer-encoding: chunked\r\n\r\n3\r\nhello\r\n0\r\n\r\n",
    ),
    Case {
        rest: b"hello",
        answer: Answer { at_head: b"HTTP/1.1 100 Continue\r\n\r\n", ..OK },
        ..asked("expects leave", EXPECTS)
    },
    Case {
        answer: Answer {
            at_head: b"HTTP/1.1 417 Expectation Failed\r\ncontent-length: 2\r\n\r\nno",
            at_end: b"",
            closes: true,
        },
        ..asked("expects leave and gets none", EXPECTS)
    },
    asked("expects something else", b"GET / HTTP/1.1\r\nhost: a\r\nexpect: tea\r\n\r\n"),
];

const EXPECTS: &[u8] = b"POST / HTTP/1.1\r\nhost: recorder\r\nexpect: 100-continue\r\n\
                         content-length: 5\r\n\r\n";

const HOPS: &[Case] = &[
    asked(
        "for one hop",
        b"GET / HTTP/1.1\r\nhost: recorder\r\nconnection: keep-alive\r\n\
          keep-alive: timeout=5\r\nproxy-connection: keep-alive\r\n\r\n",
    ),
    asked(
        "named by connection",
        b"GET / HTTP/1.1\r\nhost: recorder\r\n\
          connection: x-hop, close\r\nx-hop: 1\r\nx-kept: 1\r\n\r\n",
    ),
    asked(
        "connection names the host",
        b"GET / HTTP/1.1\r\nhost: recorder\r\n\
          connection: host, x-forwarded-for\r\n\r\n",
    ),
    asked("te", b"GET / HTTP/1.1\r\nhost: a\r\nconnection: te\r\nte: trailers, deflate\r\n\r\n"),
    asked("te alone", b"GET / HTTP/1.1\r\nhost: recorder\r\nte: gzip\r\n\r\n"),
    asked("proxy authorization", b"GET / HTTP/1.1\r\nhost: a\r\nproxy-authorization: b\r\n\r\n"),
    Case {
        answer: Answer::of(
            b"HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\n\
              upgrade: websocket\r\nsec-websocket-accept: a\r\n\r\n",
        ),
        ..asked(
            "websocket",
            b"GET / HTTP/1.1\r\nhost: recorder\r\nconnection: keep-alive, Upgrade\
          \r\nupgrade: WebSocket\r\nsec-websocket-key: a\r\nsec-websocket-version: 13\r\n\r\n",
        )
    },
    asked(
        "websocket refused",
        b"GET / HTTP/1.1\r\nhost: recorder\r\nconnection: upgrade\r\n\
          upgrade: websocket\r\n\r\n",
    ),
    asked(
        "h2c",
        b"GET / HTTP/1.1\r\nhost: recorder\r\nconnection: upgrade, http2-settings\r\n\
          upgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n\r\n",
    ),
    asked(
        "unknown upgrade",
        b"GET / HTTP/1.1\r\nhost: recorder\r\nconnection: upgrade\r\n\
          upgrade: tea\r\n\r\n",
    ),
    asked("upgrade without connection", b"GET / HTTP/1.1\r\nhost: a\r\nupgrade: tea\r\n\r\n"),
];

const ANSWERS: &[Case] = &[
    Case {
        answer: Answer::of(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"),
        ..asked("head of chunks", b"HEAD / HTTP/1.1\r\nhost: recorder\r\n\r\n")
    },
    answered("no content", b"HTTP/1.1 204 No Content\r\n\r\n"),
    answered("no content with a length", b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n"),
    answered("not modified", b"HTTP/1.1 304 Not Modified\r\netag: \"a\"\r\n\r\n"),
    answered("not modified, so long", b"HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n\r\n"),
    answered(
        "answer in chunks",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
             1;a\r\no\r\n1\r\nk\r\n0\r\n\r\n",
    ),
    answered(
        "answer with trailers",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
             2\r\nok\r\n0\r\nx-sum: 1\r\n\r\n",
    ),
    ended("answer until close", b"HTTP/1.1 200 OK\r\n\r\nok"),
    ended("answer of version 1.0", b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok"),
    ended("answer cut off", b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nok"),
    ended(
        "answer cut off in chunks",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
          2\r\nok\r\n",
    ),
    // A request that does no harm twice is sent again where an old connection dies under it.
    Case {
        request: b"POST / HTTP/1.1\r\nhost: recorder\r\ncontent-length: 5\r\n\r\nhello",
        ..ended("no answer", b"")
    },
    ended("answer that is none", b"220 ready\r\n\r\n"),
    answered(
        "hints",
        b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n\
             HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    ),
    answered(
        "processing",
        b"HTTP/1.1 102 Processing\r\n\r\n\
             HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    ),
    answered(
        "another protocol unasked",
        b"HTTP/1.1 101 Switching Protocols\r\n\
             connection: upgrade\r\nupgrade: tea\r\n\r\n",
    ),
    ended(
        "answer with length and chunks",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\
          transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ),
    ended(
        "answer of two lengths",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\
          content-length: 3\r\n\r\nok!",
    ),
    ended("folded answer", b"HTTP/1.1 200 OK\r\nx-a: 1\r\n 2\r\ncontent-length: 2\r\n\r\nok"),
    answered(
        "answer for one hop",
        b"HTTP/1.1 200 OK\r\nconnection: keep-alive, x-hop\r\n\
             x-hop: 1\r\nkeep-alive: timeout=5\r\ncontent-length: 2\r\n\r\nok",
    ),
    answered(
        "answer's own words",
        b"HTTP/1.1 299 Fine Enough\r\nserver: a\r\nServer: b\r\n\
             date: Sun, 06 Nov 1994 08:49:37 GMT\r\nset-cookie: a\r\nset-cookie: b\r\n\
             x-envoy-upstream-service-time: 7\r\nvia: 1.1 a\r\ncontent-length: 2\r\n\r\nok",
    ),
    answered("status of no class", b"HTTP/1.1 700 Odd\r\ncontent-length: 0\r\n\r\n"),
    answered("reset content", b"HTTP/1.1 205 Reset Content\r\ncontent-length: 0\r\n\r\n"),
];
