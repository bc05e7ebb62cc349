//! Where commands print: answers, and beside them what a person should know.
//!
//! It opens nothing; the caller says where the lines go and whether somebody looks at them.

use std::{
    fmt::Display,
    io::{self, Write},
};

/// The two streams of a command.
pub struct Console<'a> {
    /// Answers.
    pub out: Stream<'a>,
    /// Warnings and progress.
    pub err: Stream<'a>,
}

/// One stream of lines.
pub struct Stream<'a> {
    to: &'a mut dyn Write,
    look: Look,
}

/// How lines look.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Look {
    /// Whether it is a terminal, where lines can be written again.
    pub terminal: bool,
    /// Whether ornaments are welcome there.
    pub ornate: bool,
}

impl Look {
    /// Of a stream that is a terminal or not; `plain` is what NO_COLOR asks for.
    pub const fn new(terminal: bool, plain: bool) -> Self {
        Self { terminal, ornate: terminal && !plain }
    }
}

impl<'a> Stream<'a> {
    /// A stream.
    pub fn new(to: &'a mut dyn Write, look: Look) -> Self {
        Self { to, look }
    }

    /// How its lines look.
    pub const fn look(&self) -> Look {
        self.look
    }

    /// Writes text as it is.
    pub fn text(&mut self, text: &str) -> io::Result<()> {
        self.to.write_all(text.as_bytes())?;
        self.to.flush()
    }

    /// Writes a line.
    pub fn line(&mut self, line: impl Display) -> io::Result<()> {
        writeln!(self.to, "{line}")?;
        self.to.flush()
    }

    /// Writes a line that tells of something done.
    pub fn done(&mut self, line: impl Display) -> io::Result<()> {
        if self.look.ornate { self.line(format!("✅ {line}")) } else { self.line(line) }
    }

    /// Writes a warning.
    pub fn warning(&mut self, line: impl Display) -> io::Result<()> {
        let sign = if self.look.ornate { "⚠️ " } else { "" };
        self.line(format!("{sign}Warning: {line}"))
    }
}

#[cfg(test)]
mod tests;
