//! What was claimed, and what was seen.

use super::narrator::{self, Tone};

/// One row per claim.
#[derive(Debug, Default)]
pub(super) struct Ledger(Vec<Row>);

#[derive(Debug)]
struct Row {
    claim: String,
    expected: String,
    observed: String,
    holds: bool,
}

impl Ledger {
    /// A claim that holds when what was observed is what was expected, to the letter.
    pub(super) fn same(&mut self, claim: &str, expected: &str, observed: &str) {
        self.judged(claim, expected, observed, expected == observed);
    }

    /// A claim that somebody else judges.
    pub(super) fn judged(&mut self, claim: &str, expected: &str, observed: &str, holds: bool) {
        self.0.push(Row {
            claim: claim.to_owned(),
            expected: expected.to_owned(),
            observed: observed.to_owned(),
            holds,
        });
    }

    /// True when there are claims and all of them hold.
    pub(super) fn holds(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|row| row.holds)
    }

    /// The rows, aligned.
    pub(super) fn table(&self) -> String {
        let widest = |column: fn(&Row) -> &str, title: &str| {
            self.0.iter().map(|row| column(row).chars().count()).max().unwrap_or(0).max(title.len())
        };
        let claim = widest(|row| &row.claim, CLAIM);
        let expected = widest(|row| &row.expected, EXPECTED);
        let line = |a: &str, b: &str, c: &str| format!("{a:<claim$}  {b:<expected$}  {c}");
        let mut lines = vec![format!("         {}", line(CLAIM, EXPECTED, OBSERVED))];
        for row in &self.0 {
            let (tone, word) = if row.holds { (Tone::Good, "ok") } else { (Tone::Bad, "DIFFERS") };
            let verdict = narrator::dress(tone, &format!("{word:<7}"));
            lines.push(format!("{verdict}  {}", line(&row.claim, &row.expected, &row.observed)));
        }
        lines.join("\n")
    }
}

const CLAIM: &str = "claim";
const EXPECTED: &str = "expected";
const OBSERVED: &str = "observed";

#[cfg(test)]
mod tests;
