//! What tidy says about a line.

use std::fmt;
use std::path::{Path, PathBuf};

/// A line that breaks a rule: what is wrong, and what to do about it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Complaint {
    path: PathBuf,
    line: usize,
    what: String,
}

impl Complaint {
    /// A complaint about a line of a file, counted from one.
    pub(crate) fn new(path: &Path, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into() }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}", self.path.display(), self.line, self.what)
    }
}
