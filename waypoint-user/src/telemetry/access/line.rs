//! One JSON object, written field after field into memory that is used again.
//!
//! Nothing is built up before it is written. It does not look at names, which are ours.

use std::fmt;

/// A line that is being written.
pub(super) struct Line<'o> {
    output: &'o mut Vec<u8>,
    /// What stands before the next field.
    next: &'static [u8],
}

impl<'o> Line<'o> {
    /// Begins a line at the end of the output.
    pub(super) fn new(output: &'o mut Vec<u8>) -> Self {
        Self { output, next: b"{\"" }
    }

    /// A text, or the sign for none.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers have one to give away, or a reference"
    )]
    pub(super) fn text(&mut self, name: &str, value: Option<impl AsRef<str>>) {
        self.name(name);
        match &value {
            Some(text) if !text.as_ref().is_empty() => self.put(text.as_ref()),
            _ => self.output.extend_from_slice(NONE),
        }
    }

    /// What a peer sent, which need not be text.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers have one to give away, or a reference"
    )]
    pub(super) fn bytes(&mut self, name: &str, value: Option<impl AsRef<[u8]>>) {
        let text = value.as_ref().map(|value| String::from_utf8_lossy(value.as_ref()));
        self.text(name, text);
    }

    /// What can be shown, or the sign for none.
    pub(super) fn shown(&mut self, name: &str, value: Option<impl fmt::Display>) {
        self.name(name);
        match value {
            Some(value) => self.put(&format_args!("{value}")),
            None => self.output.extend_from_slice(NONE),
        }
    }

    /// A number, or the sign for none.
    pub(super) fn number(&mut self, name: &str, value: Option<u64>) {
        self.name(name);
        match value {
            Some(value) => self.put(&value),
            None => self.output.extend_from_slice(NONE),
        }
    }

    /// Ends the line.
    pub(super) fn end(self) {
        self.output.extend_from_slice(b"}\n");
    }

    fn name(&mut self, name: &str) {
        self.output.extend_from_slice(self.next);
        self.output.extend_from_slice(name.as_bytes());
        self.output.extend_from_slice(b"\":");
        self.next = b",\"";
    }

    fn put(&mut self, value: &(impl serde::Serialize + ?Sized)) {
        // Writing JSON into memory has nothing that could go wrong.
        let _ = serde_json::to_writer(&mut *self.output, value);
    }
}

/// The sign for nothing.
const NONE: &[u8] = b"\"-\"";
