//! The rows of the hop on one node.

use std::fmt;

use serde_json::{Value, json};

use super::{Figure, median, ratio, seen, shown};
use crate::bench::hbone::{
    clients::Outcome,
    hop::{self, Hop, Load},
};

/// Every round of every load.
#[derive(Debug, Default)]
pub(in crate::bench::hbone) struct Hops(Vec<(Load, Hop, Outcome)>);

impl Hops {
    pub(in crate::bench::hbone) fn add(&mut self, load: Load, hop: Hop, outcome: Outcome) {
        self.0.push((load, hop, outcome));
    }

    /// The medians of a figure, by AF_UNIX and by TLS.
    fn both(&self, load: Load, figure: Figure) -> [Option<f64>; 2] {
        Hop::ALL.map(|hop| {
            let of = |(under, by, _): &&(Load, Hop, Outcome)| *under == load && *by == hop;
            median(self.0.iter().filter(of).map(|(_, _, outcome)| figure(outcome)))
        })
    }

    pub(super) fn json(&self) -> Value {
        let rounds = self.0.iter().map(|(load, hop, outcome)| {
            json!({"load": load.name, "hop": hop.name(), "seen": seen(outcome)})
        });
        let rows = Load::ALL.iter().map(|load| {
            let [unix, tls] = self.both(*load, |outcome| outcome.cpu_us);
            let ratio = ratio(unix, tls);
            json!({"load": load.name, "unix_cpu_us": unix, "tls_cpu_us": tls, "ratio": ratio})
        });
        json!({"rounds": rounds.collect::<Vec<_>>(), "rows": rows.collect::<Vec<_>>()})
    }
}

impl fmt::Display for Hops {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        writeln!(out, "\n| {} | CPU µs | ratio | p50 µs | p99 µs | requests/s |", hop::NAME)?;
        writeln!(out, "|---|---|---|---|---|---|")?;
        for load in Load::ALL {
            let pair = |figure, digits| {
                let [unix, tls] = self.both(load, figure).map(|figure| shown(figure, digits));
                format!("{unix} / {tls}")
            };
            let [unix, tls] = self.both(load, |outcome| outcome.cpu_us);
            let (cpu, ratio) = (pair(|outcome| outcome.cpu_us, 1), shown(ratio(unix, tls), 2));
            let (p50, p99) = (pair(|outcome| outcome.p50_us, 0), pair(|outcome| outcome.p99_us, 0));
            let rate = pair(|outcome| outcome.rate, 0);
            writeln!(out, "| {} | {cpu} | {ratio} | {p50} | {p99} | {rate} |", load.name)?;
        }
        let [unix, tls] = Hop::ALL.map(Hop::name);
        writeln!(out, "({unix} / {tls}; CPU time of the agent and the waypoint together)")
    }
}
