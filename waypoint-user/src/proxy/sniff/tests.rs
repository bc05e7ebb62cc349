use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
};

use super::*;

#[test]
fn request_lines_and_prefaces_are_told_from_anything_else() {
    let http1 = Guess::Is(Spoken::Http1);
    let opaque = Guess::Is(Spoken::Opaque);
    let cases: [(&[u8], Guess); 22] = [
        (b"GET / HTTP/1.1\r\n", http1),
        (b"DELETE /a", http1),
        (b"OPTIONS *", http1),
        (b"M-SEARCH * HTTP/1.1", http1),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0", Guess::Is(Spoken::Http2)),
        (b"PRI * HTTP/2.0\r\n\r\nSM", Guess::Unclear),
        (b"PRI /prices HTTP/1.1", http1),
        (b"GET http://a/ HTTP/1.1", http1),
        (b"GET HTTPS://a/ HTTP/1.1", http1),
        (b"GET htt", Guess::Unclear),
        (b"CONNECT a:80 HTTP/1.1", http1),
        (b"", Guess::Unclear),
        (b"G", Guess::Unclear),
        (b"GET ", Guess::Unclear),
        (b"get / HTTP/1.1", opaque),
        (b"GET\t/ HTTP/1.1", opaque),
        (b" / HTTP/1.1", opaque),
        (b"SET key 0", opaque),
        (b"EHLO there", opaque),
        (b"*1\r\n$4\r\nPING", opaque),
        (b"\x16\x03\x01", opaque),
        (b"ABCDEFGHIJKLMNOPQRSTUVWXYZABC", opaque),
    ];
    for (first, expected) in cases {
        assert_eq!(tell(first), expected, "{:?}", String::from_utf8_lossy(first));
    }
}

#[test]
fn more_bytes_never_change_a_guess_that_was_made() {
    for whole in [
        &b"GET /a HTTP/1.1\r\nhost: a\r\n\r\n"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET http://a/ HTTP/1.1\r\n\r\n",
        b"HELO example.org\r\n",
    ] {
        let end = tell(whole);
        for len in 0..whole.len() {
            let early = tell(&whole[..len]);
            assert!(early == Guess::Unclear || early == end, "{len} of {whole:?}: {early:?}");
        }
    }
}

#[tokio::test]
async fn what_is_neither_version_is_refused_by_the_one_that_is_declared() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    for (declared, spoken) in [
        (AppProtocol::Http, Spoken::Http1),
        (AppProtocol::Http2, Spoken::Http2),
        (AppProtocol::Detect, Spoken::Opaque),
    ] {
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut server = Stream::Tcp(listener.accept().await.unwrap().0);
        client.write_all(b"INVALID CONNECTION PREFACE\r\n\r\n").await.unwrap();
        let sniffed = sniff(&mut server, declared, FIRST_BYTES_TIMEOUT).await.unwrap();
        assert_eq!(sniffed.spoken, spoken, "{declared:?}");
    }
}
