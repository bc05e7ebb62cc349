//! The row of watched connections.

use std::fmt;

use serde_json::{Value, json};

use super::{median, shown};
use crate::bench::hbone::eye::{self, Pair};

/// Every pair.
#[derive(Debug, Default)]
pub(in crate::bench::hbone) struct Watched(Vec<Pair>);

impl Watched {
    pub(in crate::bench::hbone) fn add(&mut self, pair: Pair) {
        self.0.push(pair);
    }

    fn median(&self, figure: fn(Pair) -> f64) -> Option<f64> {
        median(self.0.iter().copied().map(figure))
    }

    pub(super) fn json(&self) -> Value {
        let pairs = self.0.iter().map(|pair| {
            let Pair { alone, watched, agent } = pair;
            json!({"alone_us": alone, "watched_us": watched, "agent_us": agent})
        });
        json!({
            "pairs": pairs.collect::<Vec<_>>(),
            "alone_us": self.median(|pair| pair.alone),
            "watched_us": self.median(|pair| pair.watched),
            "added_us": self.median(Pair::added),
            "agent_us": self.median(|pair| pair.agent),
            "goal_us": eye::GOAL_US,
        })
    }
}

impl fmt::Display for Watched {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        let shown = |figure| shown(self.median(figure), 2);
        let (alone, watched) = (shown(|pair| pair.alone), shown(|pair| pair.watched));
        let (added, agent) = (shown(Pair::added), shown(|pair| pair.agent));
        let (name, goal) = (eye::NAME, eye::GOAL_US);
        writeln!(
            out,
            "\n| connect and close | alone µs | watched µs | added µs | goal | agent µs |"
        )?;
        writeln!(out, "|---|---|---|---|---|---|")?;
        writeln!(out, "| {name} | {alone} | {watched} | {added} | < {goal:.0} | {agent} |")?;
        writeln!(out, "(both ends, {} pairs; added: the median of their differences)", self.0.len())
    }
}
