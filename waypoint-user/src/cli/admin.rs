//! Asks admin endpoints of agents and waypoints for pages.
//!
//! It speaks as much HTTP as that needs: one question a connection, and an answer until its end.
//!
//! **Invariant:** a head of an answer is read up to [`HEAD_BYTES_MAX`], a page up to
//! [`PAGE_BYTES_MAX`].

use std::io;

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::{TcpStream, UnixStream},
};

use super::Error;

/// Longest head of an answer.
pub(super) const HEAD_BYTES_MAX: u64 = 16 * 1024;
/// Longest page.
pub(super) const PAGE_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// A connection to an admin endpoint.
pub(super) type Connection = Box<dyn Duplex>;

/// A byte stream of any kind.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Duplex for S {}

/// A page of the endpoint at `ADDR:PORT` or `unix:PATH`.
pub(super) async fn page(address: &str, path: &str) -> Result<String, Error> {
    let read = async { whole(open(dial(address).await?, path).await?).await };
    read.await.map_err(|cause| Error::Admin { address: address.to_owned(), cause })
}

/// Connects to an endpoint.
pub(super) async fn dial(address: &str) -> io::Result<Connection> {
    Ok(match address.strip_prefix("unix:") {
        Some(path) => Box::new(UnixStream::connect(path).await?),
        None => Box::new(TcpStream::connect(address).await?),
    })
}

/// Asks for a page, and reads the head of the answer.
pub(super) async fn open(stream: Connection, path: &str) -> io::Result<BufReader<Connection>> {
    let mut stream = BufReader::new(stream);
    let question = format!("GET {path} HTTP/1.0\r\nHost: waypointd\r\n\r\n");
    stream.write_all(question.as_bytes()).await?;
    let head = head(&mut stream).await?;
    match head.split(' ').nth(1).unwrap_or_default() {
        "200" => Ok(stream),
        status => {
            let text = whole(stream).await.unwrap_or_default();
            let said = text.lines().next().unwrap_or_default();
            let remedy = if said == NO_PAGE { "; is it of this version?" } else { "" };
            let what = format!("it answered {status} ({said}){remedy}");
            Err(io::Error::other(what))
        }
    }
}

/// The rest of an answer.
pub(super) async fn whole(stream: BufReader<Connection>) -> io::Result<String> {
    let mut text = String::new();
    stream.take(PAGE_BYTES_MAX).read_to_string(&mut text).await?;
    Ok(text)
}

/// A word as a value of a query.
pub(super) fn escaped(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let escape = |byte: u8| {
        if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    word.bytes().map(escape).collect()
}

/// Reads up to the empty line; the rest belongs to the body.
async fn head(stream: &mut BufReader<Connection>) -> io::Result<String> {
    let mut stream = stream.take(HEAD_BYTES_MAX);
    let mut head = String::new();
    loop {
        let line = stream.read_line(&mut head).await?;
        if line == 0 || head.ends_with("\r\n\r\n") {
            return Ok(head);
        }
    }
}

/// What another version answers that does not have the page.
const NO_PAGE: &str = "no such page";

#[cfg(test)]
mod tests;
