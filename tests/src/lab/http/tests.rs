use std::io::{self, Cursor, Read, Write};

use super::{Connection, Request};

/// Answers with fixed text, whatever it is sent.
struct Canned {
    answer: Cursor<&'static str>,
    sent: Vec<u8>,
}

impl Read for Canned {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.answer.read(buffer)
    }
}

impl Write for Canned {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sent.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn connection(answer: &'static str) -> Connection<Canned> {
    Connection::over(Canned { answer: Cursor::new(answer), sent: Vec::new() })
}

#[test]
fn answers_follow_one_another_however_their_bodies_end() {
    let mut connection = connection(
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab\
         HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\ncde\r\n1;x=y\r\nf\r\n0\r\n\r\n\
         HTTP/1.1 204 No Content\r\n\r\n\
         HTTP/1.1 500 Oh\r\n\r\nto the end",
    );
    let request = Request::get("a");
    let mut next = || connection.exchange(&request).unwrap();
    assert_eq!(next().text(), "ab");
    assert_eq!(next().text(), "cdef");
    assert_eq!((next().status, next().text()), (204, "to the end".to_owned()));
}

#[test]
fn an_answer_that_breaks_off_is_an_error() {
    for answer in
        ["", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab", "220 hi\r\n"]
    {
        assert!(connection(answer).exchange(&Request::get("a")).is_err(), "{answer:?}");
    }
}

#[test]
fn a_request_goes_out_as_it_was_written() {
    let mut connection = connection("HTTP/1.1 204 No Content\r\n\r\n");
    let mut request = Request::get("reviews");
    request.headers.push(("end-user".to_owned(), "jason".to_owned()));
    request.body = b"ab".to_vec();
    connection.exchange(&request).unwrap();
    let sent = String::from_utf8(connection.stream().get_ref().sent.clone()).unwrap();
    let wanted =
        "GET / HTTP/1.1\r\nhost: reviews\r\nend-user: jason\r\ncontent-length: 2\r\n\r\nab";
    assert_eq!(sent, wanted);
}
