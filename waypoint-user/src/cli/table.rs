//! Tables of text: columns as wide as their widest cell, the last as wide as it likes.
//!
//! It knows no colours and no terminal.

use std::fmt;

/// Rows under a header.
#[derive(Clone, Debug, Default)]
pub struct Table<const COLUMNS: usize> {
    rows: Vec<[String; COLUMNS]>,
    gap: usize,
    skipped: usize,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    /// Begins with the header.
    pub fn new(header: [&str; COLUMNS]) -> Self {
        Self { rows: vec![header.map(str::to_owned)], gap: GAP, skipped: 0 }
    }

    /// The same with so many spaces between columns.
    #[must_use]
    pub fn with_gap(self, gap: usize) -> Self {
        Self { gap, ..self }
    }

    /// The same without its first columns.
    #[must_use]
    pub fn without_first(self, skipped: usize) -> Self {
        Self { skipped, ..self }
    }

    /// Adds a row. What a terminal could take for a command is escaped: manifests are not ours.
    pub fn row(&mut self, cells: [String; COLUMNS]) {
        self.rows.push(cells.map(|cell| {
            if cell.contains(char::is_control) { cell.escape_debug().to_string() } else { cell }
        }));
    }

    /// Whether there is nothing under the header.
    pub fn is_empty(&self) -> bool {
        self.rows.len() < 2
    }
}

impl<const COLUMNS: usize> fmt::Display for Table<COLUMNS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut widths = [0; COLUMNS];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        let gap = " ".repeat(self.gap);
        for row in &self.rows {
            let cells = widths.iter().zip(row).skip(self.skipped);
            let cells = cells.map(|(width, cell)| format!("{cell:<width$}"));
            writeln!(f, "{}", cells.collect::<Vec<_>>().join(&gap).trim_end())?;
        }
        Ok(())
    }
}

/// Spaces between columns.
const GAP: usize = 3;
