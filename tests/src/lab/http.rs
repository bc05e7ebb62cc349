//! A plain HTTP/1.1 client over any byte stream, for one request at a time.
//!
//! It is not a good client: it trusts the server, and reads answers whole.

use std::{
    fmt::Write as _,
    io::{BufRead, BufReader, Read, Write},
    net::{IpAddr, SocketAddr},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its method.
    pub method: String,
    /// Host and port.
    pub authority: String,
    /// Path and query.
    pub path: String,
    /// Further header fields.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Request {
    /// A GET of `/`.
    pub fn get(authority: impl Into<String>) -> Self {
        Self {
            method: "GET".to_owned(),
            authority: authority.into(),
            path: "/".to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// Its head as it goes over the wire.
    pub fn head(&self) -> String {
        let mut head =
            format!("{} {} HTTP/1.1\r\nhost: {}\r\n", self.method, self.path, self.authority);
        for (name, value) in &self.headers {
            let _infallible = write!(head, "{name}: {value}\r\n");
        }
        if !self.body.is_empty() {
            let _infallible = write!(head, "content-length: {}\r\n", self.body.len());
        }
        head + "\r\n"
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Its status code.
    pub status: u16,
    /// Its header fields, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Reply {
    /// The first field of a name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body)
            .with_context(|| format!("{} is not JSON: {:?}", self.status, self.text()))
    }

    /// What a shop server says of itself or of the request, by field.
    pub fn says(&self, field: &str) -> Result<String> {
        let text = self.json()?.get(field).and_then(Value::as_str).map(str::to_owned);
        text.with_context(|| format!("{} has no {field}: {}", self.status, self.text()))
    }

    /// A request header as the shop server got it.
    pub fn server_got(&self, header: &str) -> Result<Option<String>> {
        let seen = self.json()?;
        let value = seen.get("headers").and_then(|headers| headers.get(header));
        Ok(value.and_then(Value::as_str).map(str::to_owned))
    }

    /// The address that the shop server was dialled from.
    pub fn server_saw_peer(&self) -> Result<IpAddr> {
        Ok(self.says("peer")?.parse::<SocketAddr>()?.ip())
    }
}

/// A connection on which requests follow one another.
#[derive(Debug)]
pub struct Connection<S> {
    stream: BufReader<S>,
}

impl<S: Read + Write> Connection<S> {
    /// Over a stream that is connected.
    pub fn over(stream: S) -> Self {
        Self { stream: BufReader::new(stream) }
    }

    /// Sends a request and reads its answer.
    pub fn exchange(&mut self, request: &Request) -> Result<Reply> {
        self.send(request)?;
        self.finish()
    }

    /// Reads the whole answer to what was sent.
    pub fn finish(&mut self) -> Result<Reply> {
        let begun = self.read_head()?;
        self.finish_after(begun)
    }

    /// Reads the body after a head.
    pub fn finish_after(&mut self, mut reply: Reply) -> Result<Reply> {
        self.read_body(&mut reply)?;
        Ok(reply)
    }

    /// Sends a request.
    pub fn send(&mut self, request: &Request) -> Result<()> {
        let stream = self.stream.get_mut();
        stream.write_all(&[request.head().as_bytes(), &request.body].concat())?;
        Ok(stream.flush()?)
    }

    /// Reads an answer up to its body, which is left in [`stream`](Self::stream).
    pub fn read_head(&mut self) -> Result<Reply> {
        let line = self.read_line().context("read the status line")?;
        let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.with_context(|| format!("{line:?} is not a status line"))?;
        let mut headers = Vec::new();
        loop {
            let line = self.read_line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_lowercase(), value.trim().to_owned()));
        }
        Ok(Reply { status, headers, body: Vec::new() })
    }

    /// The stream, for what comes after a head.
    pub fn stream(&mut self) -> &mut BufReader<S> {
        &mut self.stream
    }

    fn read_body(&mut self, reply: &mut Reply) -> Result<()> {
        let no_body = reply.status < 200 || reply.status == 204 || reply.status == 304;
        if no_body {
            return Ok(());
        }
        if reply.header("transfer-encoding") == Some("chunked") {
            return self.read_chunks(&mut reply.body);
        }
        if let Some(length) = reply.header("content-length") {
            reply.body = vec![0; length.parse()?];
            self.stream.read_exact(&mut reply.body).context("read the body")?;
        } else {
            self.stream.read_to_end(&mut reply.body)?;
        }
        Ok(())
    }

    fn read_chunks(&mut self, body: &mut Vec<u8>) -> Result<()> {
        loop {
            let line = self.read_line()?;
            let length = usize::from_str_radix(line.split(';').next().unwrap_or_default(), 16)?;
            let start = body.len();
            body.resize(start + length, 0);
            self.stream.read_exact(body.get_mut(start..).unwrap_or_default())?;
            self.read_line()?;
            if length == 0 {
                return Ok(());
            }
        }
    }

    fn read_line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            bail!("the connection ended");
        }
        Ok(line.trim_end().to_owned())
    }
}

#[cfg(test)]
mod tests;
