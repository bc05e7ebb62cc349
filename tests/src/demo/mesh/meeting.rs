//! Who met whom, and as whom, by the metrics of the processes between them.
//!
//! It adds up; it does not know the order.

use std::collections::BTreeMap;

use crate::lab::Metrics;

/// What one process says of two ends that it stood between.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Meeting {
    /// The process.
    witness: String,
    /// `source`, `destination` or `waypoint`.
    side: String,
    /// Who the client proved to be.
    source: String,
    /// Who the server proved to be.
    destination: String,
    /// What guarded the connection.
    guard: String,
}

/// How often each meeting was counted.
#[derive(Debug, Default)]
pub(super) struct Meetings(BTreeMap<Meeting, f64>);

impl Meetings {
    /// Adds what a process counted.
    pub(super) fn add(&mut self, witness: &str, metrics: &Metrics) {
        for family in FAMILIES {
            for (labels, value) in metrics.samples(family).filter(|(_, value)| *value > 0.0) {
                let label = |name: &str| labels.get(name).map_or("", String::as_str);
                let meeting = Meeting {
                    witness: witness.to_owned(),
                    side: label("reporter").to_owned(),
                    source: who(label("source_principal"), label("source_workload")),
                    destination: who(label("destination_principal"), label("destination_workload")),
                    guard: label("connection_security_policy").to_owned(),
                };
                *self.0.entry(meeting).or_default() += value;
            }
        }
    }

    /// Whether anybody counted such a meeting.
    pub(super) fn has(&self, source: &str, destination: &str, guard: &str) -> bool {
        self.0.keys().any(|meeting| {
            (meeting.source.as_str(), meeting.destination.as_str(), meeting.guard.as_str())
                == (source, destination, guard)
        })
    }

    /// The rows, aligned.
    pub(super) fn table(&self) -> String {
        let rows: Vec<_> = [TITLES.map(str::to_owned)]
            .into_iter()
            .chain(self.0.iter().map(|(meeting, times)| meeting.cells(*times)))
            .collect();
        let width = |column: usize| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
        };
        let widths: Vec<_> = (0..TITLES.len()).map(|column| width(column).unwrap_or(0)).collect();
        let line = |row: &[String; 6]| {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        rows.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

impl Meeting {
    fn cells(&self, times: f64) -> [String; 6] {
        let Self { witness, side, source, destination, guard } = self.clone();
        [witness, side, source, destination, guard, times.to_string()]
    }
}

/// An identity without what all of them share; a pod that proved nothing by its name.
fn who(identity: &str, workload: &str) -> String {
    match identity.rsplit_once("cluster.local/") {
        Some((_, own)) => own.to_owned(),
        None => format!("({workload})"),
    }
}

/// The client in a value of `x-forwarded-client-cert`.
pub(super) fn uri(told: &str) -> String {
    let uri = told.split([';', ',']).find_map(|part| part.strip_prefix("URI="));
    uri.unwrap_or_default().trim_matches('"').to_owned()
}

const FAMILIES: &[&str] = &["istio_tcp_connections_opened_total", "istio_requests_total"];
const TITLES: [&str; 6] = ["witness", "reports as", "client", "server", "guarded by", "times"];

#[cfg(test)]
mod tests;
