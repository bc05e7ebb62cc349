//! Messages of HTTP/1 as whoever gets them reads them, with nothing made better.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Read},
    net::TcpStream,
};

use anyhow::{Context, Result, bail, ensure};

/// A head: its first line, and its fields as they came.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) start: String,
    pub(crate) fields: Vec<(String, String)>,
}

/// A message.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) head: Head,
    /// How the body's end was told.
    pub(crate) framing: &'static str,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
}

impl Head {
    /// Reads a head; nothing where the connection ended before one.
    pub(crate) fn read(stream: &mut BufReader<TcpStream>) -> Result<Option<Self>> {
        let Some(start) = line(stream)? else { return Ok(None) };
        Ok(Some(Self { start, fields: fields(stream)? }))
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let named = self.fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str())
    }

    /// The status of a response.
    pub(crate) fn status(&self) -> u16 {
        self.start.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default()
    }

    /// Reads the rest; `until_close` where a body ends with the connection if nothing else says so.
    pub(crate) fn with_body(
        self,
        stream: &mut BufReader<TcpStream>,
        until_close: bool,
    ) -> Result<Message> {
        let (mut body, mut trailers) = (Vec::new(), Vec::new());
        let framing = if let Some(coding) = self.field("transfer-encoding") {
            ensure!(coding == "chunked", "the transfer coding {coding}");
            chunks(stream, &mut body)?;
            trailers = fields(stream)?;
            "chunked"
        } else if let Some(length) = self.field("content-length") {
            body.resize(length.parse().context("the length")?, 0);
            stream.read_exact(&mut body)?;
            "length"
        } else if until_close {
            stream.read_to_end(&mut body)?;
            "until close"
        } else {
            "none"
        };
        Ok(Message { head: self, framing, body, trailers })
    }

    /// Without a body, whatever the fields say.
    pub(crate) fn alone(self) -> Message {
        Message { head: self, framing: "none", body: Vec::new(), trailers: Vec::new() }
    }
}

impl Message {
    /// What it says, in lines: order and case of fields, and where chunks begin, mean nothing.
    pub(crate) fn lines(&self, client: &str) -> BTreeSet<String> {
        let field = |kind: &str, (name, value): &(String, String)| {
            format!("{kind}{}: {}", name.to_ascii_lowercase(), steady(name, value, client))
        };
        let mut lines = BTreeSet::from([self.head.start.clone()]);
        let mut all: Vec<String> = self.head.fields.iter().map(|one| field("", one)).collect();
        all.extend(self.trailers.iter().map(|one| field("trailer ", one)));
        // The same field twice is not the same as once.
        for mut line in all {
            while !lines.insert(line.clone()) {
                line.push_str(" (again)");
            }
        }
        let body = String::from_utf8_lossy(&self.body);
        lines.insert(format!("body {}: {body:?}", self.framing));
        lines
    }
}

/// A value without what is another one each time.
fn steady(name: &str, value: &str, client: &str) -> String {
    let name = name.to_ascii_lowercase();
    let is_uuid = value.len() == 36 && value.split('-').count() == 5;
    match name.as_str() {
        "date" | "x-envoy-upstream-service-time" => "*".to_owned(),
        "x-request-id" if is_uuid => "*".to_owned(),
        _ => value.replace(client, "CLIENT"),
    }
}

/// The fields up to the empty line.
fn fields(stream: &mut BufReader<TcpStream>) -> Result<Vec<(String, String)>> {
    let mut fields = Vec::new();
    loop {
        let line = line(stream)?.context("cut off within fields")?;
        if line.is_empty() {
            return Ok(fields);
        }
        let (name, value) = line.split_once(':').with_context(|| format!("the field {line:?}"))?;
        fields.push((name.to_owned(), value.trim().to_owned()));
    }
}

/// A body in chunks, up to its trailers.
fn chunks(stream: &mut BufReader<TcpStream>, body: &mut Vec<u8>) -> Result<()> {
    loop {
        let line = line(stream)?.context("cut off before a chunk")?;
        let size = line.split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(size.trim(), 16).with_context(|| format!("{line:?}"))?;
        if size == 0 {
            return Ok(());
        }
        let mut chunk = vec![0; size + 2];
        stream.read_exact(&mut chunk)?;
        ensure!(chunk.ends_with(b"\r\n"), "a chunk is longer than it says");
        body.extend(chunk.iter().take(size));
    }
}

/// A line without its end; bytes that are no text are shown as such.
fn line(stream: &mut BufReader<TcpStream>) -> Result<Option<String>> {
    let mut line = Vec::new();
    if stream.read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    let Some(line) = line.strip_suffix(b"\r\n") else { bail!("half of a line") };
    Ok(Some(line.escape_ascii().to_string().replace("\\\"", "\"").replace("\\'", "'")))
}
