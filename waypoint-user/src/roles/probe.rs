//! Asks a process of ours whether it is ready, or alive; for exec probes of Kubernetes.
//!
//! A probe by HTTP reaches whoever listens at an address. While one agent takes over from another
//! in the same network that may be the other one, so an agent's pod asks by a socket of its own.
//!
//! **Invariant:** there is an answer within [`PATIENCE`], or an error.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    time::Duration,
};

use crate::telemetry::admin::AdminAddress;

/// The answer: whether it is good, and the text that came with it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    /// Whether the status was 200.
    pub good: bool,
    /// The text.
    pub text: String,
}

/// Asks for a page of the status endpoint, such as `/healthz/ready`.
pub fn ask(address: &AdminAddress, page: &str) -> Result<Answer, Error> {
    let failed = |cause| Error { address: address.clone(), cause };
    let answer = match address {
        AdminAddress::Tcp(address) => {
            TcpStream::connect_timeout(address, PATIENCE).and_then(|stream| {
                stream.set_read_timeout(Some(PATIENCE))?;
                converse(stream, page)
            })
        }
        AdminAddress::Unix(path) => UnixStream::connect(path).and_then(|stream| {
            stream.set_read_timeout(Some(PATIENCE))?;
            converse(stream, page)
        }),
    };
    read(&answer.map_err(failed)?).ok_or_else(|| failed(io::ErrorKind::InvalidData.into()))
}

/// Sends the request and reads what comes, until the other side closes.
fn converse(mut stream: impl Read + Write, page: &str) -> io::Result<String> {
    let request = format!("GET {page} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// The status and the text of an answer.
fn read(answer: &str) -> Option<Answer> {
    let (head, text) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.split(' ').next()?;
    Some(Answer { good: status == "200", text: text.to_owned() })
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[error("nobody answers at {address}: {cause}; start the process with --status-listen {address}")]
pub struct Error {
    /// Who was asked.
    address: AdminAddress,
    /// What happened.
    cause: io::Error,
}

/// How long each step may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest answer.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

#[cfg(test)]
mod tests;
