//! HTTP/1 over anything that carries bytes both ways.

use std::io;

use anyhow::{Context, Result, bail, ensure};
use bytes::{Buf, Bytes, BytesMut};
use h2::{RecvStream, SendStream};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::tls::{Accepted, Dialled};

/// What carries the bytes.
#[derive(Debug)]
pub enum Duct {
    /// TCP.
    Plain(TcpStream),
    /// TLS, the client's side.
    Dialled(Box<Dialled>),
    /// TLS, the server's side.
    Accepted(Box<Accepted>),
    /// A stream of HTTP/2.
    Tunnel {
        /// Away from here.
        send: SendStream<Bytes>,
        /// Toward here.
        receive: RecvStream,
    },
}

impl Duct {
    /// Writes everything.
    pub async fn send(&mut self, bytes: Bytes) -> Result<()> {
        match self {
            Self::Plain(stream) => stream.write_all(&bytes).await?,
            Self::Dialled(stream) => stream.write_all(&bytes).await?,
            Self::Accepted(stream) => stream.write_all(&bytes).await?,
            // Bounded by what one side asks the other at a time, which is a request.
            Self::Tunnel { send, .. } => send.send_data(bytes, false)?,
        }
        Ok(())
    }

    /// Reads some more; false at the end.
    pub async fn receive(&mut self, into: &mut BytesMut) -> Result<bool> {
        let read = match self {
            Self::Plain(stream) => stream.read_buf(into).await,
            Self::Dialled(stream) => stream.read_buf(into).await,
            Self::Accepted(stream) => stream.read_buf(into).await,
            Self::Tunnel { receive, .. } => {
                let Some(bytes) = receive.data().await else { return Ok(false) };
                let bytes = bytes?;
                receive.flow_control().release_capacity(bytes.len())?;
                into.extend_from_slice(&bytes);
                return Ok(true);
            }
        };
        match read {
            // TLS without a farewell.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            read => Ok(read? > 0),
        }
    }

    /// One request and the head of its answer; what came behind the head is left in `buffer`.
    pub async fn ask(&mut self, request: Bytes, buffer: &mut BytesMut) -> Result<Answer> {
        self.send(request).await?;
        buffer.clear();
        loop {
            ensure!(self.receive(buffer).await?, "the connection ended before the answer's head");
            if let Some((head, answer)) = Answer::begin(buffer)? {
                buffer.advance(head);
                return Ok(answer);
            }
        }
    }

    /// One request and its whole answer; `buffer` keeps memory between calls.
    pub async fn exchange(&mut self, request: Bytes, buffer: &mut BytesMut) -> Result<Answer> {
        let answer = self.ask(request, buffer).await?;
        while buffer.len() < answer.length {
            ensure!(self.receive(buffer).await?, "the connection ended inside the answer's body");
        }
        Ok(answer)
    }

    /// Answers every request with the same bytes until the other side ends.
    pub async fn answer(&mut self, answer: &Bytes) -> Result<()> {
        let mut buffer = BytesMut::with_capacity(4096);
        while self.receive(&mut buffer).await? {
            while let Some(head) = end_of_head(&buffer) {
                buffer.advance(head);
                self.send(answer.clone()).await?;
            }
        }
        Ok(())
    }
}

/// The head of an answer, as far as it matters.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Bytes of the body.
    pub length: usize,
}

impl Answer {
    /// The head at the beginning of what came so far, and its length, once it is all there.
    pub fn begin(bytes: &[u8]) -> Result<Option<(usize, Self)>> {
        let head = end_of_head(bytes);
        head.map(|end| Ok((end, Self::read(bytes.get(..end).unwrap_or_default())?))).transpose()
    }

    fn read(head: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(head)?;
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        let status = status.and_then(|code| code.parse().ok());
        let status = status.with_context(|| format!("no status in {text:?}"))?;
        for line in lines {
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                return Ok(Self { status, length: value.trim().parse()? });
            }
        }
        bail!("no content-length in {text:?}")
    }
}

/// Bytes of the head with its empty line, once it is all there.
fn end_of_head(buffer: &[u8]) -> Option<usize> {
    buffer.windows(END.len()).position(|window| window == END).map(|start| start + END.len())
}

const END: &[u8] = b"\r\n\r\n";
