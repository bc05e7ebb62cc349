//! The table, for people and for programs.

use std::fmt;

use anyhow::Error;
use serde_json::{Value, json};

use super::{
    clients::Outcome,
    idle,
    subject::Subject,
    way::{self, Way},
    work::Work,
};

mod hops;
mod watched;

use hops::Hops;
use watched::Watched;

/// What was measured.
#[derive(Debug, Default)]
pub struct Report {
    outcomes: Vec<(Work, Subject, Outcome)>,
    idle: Vec<(Subject, f64)>,
    ways: Vec<(Way, usize, Outcome)>,
    pub(super) hops: Hops,
    pub(super) watched: Watched,
    failures: Vec<String>,
}

/// A figure of an outcome.
type Figure = fn(&Outcome) -> f64;

impl Report {
    pub(super) fn add(&mut self, work: Work, subject: Subject, outcome: Outcome) {
        self.outcomes.push((work, subject, outcome));
    }

    pub(super) fn idle(&mut self, subject: Subject, kib: f64) {
        self.idle.push((subject, kib));
    }

    /// Takes one round of a way between two nodes, with so many clients.
    pub(super) fn way(&mut self, way: Way, clients: usize, outcome: Outcome) {
        self.ways.push((way, clients, outcome));
    }

    /// Takes the reason why a row is not there, if there is one.
    pub(super) fn failed(&mut self, row: &str, why: Option<Error>) {
        self.failures.extend(why.map(|error| format!("{row}: {error:#}")));
    }

    /// Why rows are missing.
    pub fn failures(&self) -> &[String] {
        &self.failures
    }

    /// The median of the rounds.
    fn median(&self, work: Work, subject: Subject, figure: Figure) -> Option<f64> {
        let of = |(at, by, _): &&(Work, Subject, Outcome)| *at == work && *by == subject;
        median(self.outcomes.iter().filter(of).map(|(_, _, outcome)| figure(outcome)))
    }

    fn median_of_way(&self, way: Way, clients: usize, figure: Figure) -> Option<f64> {
        let of = |(on, by, _): &&(Way, usize, Outcome)| *on == way && *by == clients;
        median(self.ways.iter().filter(of).map(|(_, _, outcome)| figure(outcome)))
    }

    fn idle_of(&self, subject: Subject) -> Option<f64> {
        self.idle.iter().find(|(by, _)| *by == subject).map(|(_, kib)| *kib)
    }

    /// For programs: every round, and the medians.
    pub fn json(&self) -> Value {
        let rounds = self.outcomes.iter().map(|(work, subject, outcome)| {
            json!({"work": work.name(), "proxy": subject.to_string(), "seen": seen(outcome)})
        });
        let ways = self.ways.iter().map(|(way, clients, outcome)| {
            json!({"way": way.name(), "clients": clients, "seen": seen(outcome)})
        });
        let rows = Work::ALL.iter().map(|work| {
            let of = |subject| self.median(*work, subject, |outcome| outcome.cpu_us);
            let (ours, envoy) = (of(Subject::Ours), of(Subject::Envoy));
            json!({
                "work": work.name(), "ours_cpu_us": ours, "envoy_cpu_us": envoy,
                "ratio": ratio(ours, envoy), "goal": work.goal(),
            })
        });
        let (ours, envoy) = (self.idle_of(Subject::Ours), self.idle_of(Subject::Envoy));
        json!({
            "rounds": rounds.collect::<Vec<_>>(),
            "ways": ways.collect::<Vec<_>>(),
            "rows": rows.collect::<Vec<_>>(),
            "idle_kib": {"ours": ours, "envoy": envoy, "ratio": ratio(ours, envoy)},
            "hops": self.hops.json(),
            "watched": self.watched.json(),
        })
    }

    fn row(&self, work: Work, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let both = |figure: Figure| {
            let of = |subject| self.median(work, subject, figure);
            (of(Subject::Ours), of(Subject::Envoy))
        };
        let (ours, envoy) = both(|outcome| outcome.cpu_us);
        if ours.is_none() && envoy.is_none() {
            return Ok(());
        }
        write!(out, "| {} | {} | {} ", work.name(), shown(ours, 1), shown(envoy, 1))?;
        write!(out, "| {} | {} ", shown(ratio(ours, envoy), 2), goal(work.goal()))?;
        for figure in [|outcome: &Outcome| outcome.p50_us, |outcome: &Outcome| outcome.p99_us] {
            let (ours, envoy) = both(figure);
            write!(out, "| {} / {} ", shown(ours, 0), shown(envoy, 0))?;
        }
        let (ours, envoy) = both(|outcome| outcome.rate);
        writeln!(out, "| {} / {} |", shown(ours, 0), shown(envoy, 0))
    }
}

impl Report {
    fn fmt_works(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.outcomes.is_empty() {
            return Ok(());
        }
        let titles = "| work | ours | Envoy | ratio | goal | p50 µs | p99 µs | requests/s |";
        writeln!(out, "CPU µs per request; p50, p99 and rate: ours / Envoy\n\n{titles}")?;
        writeln!(out, "|---|---|---|---|---|---|---|---|")?;
        Work::ALL.iter().try_for_each(|work| self.row(*work, out))
    }

    fn fmt_ways(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ways.is_empty() {
            return Ok(());
        }
        writeln!(out, "\n| between two nodes | clients | p50 µs | p99 µs | requests/s | CPU µs |")?;
        writeln!(out, "|---|---|---|---|---|---|")?;
        for clients in way::CLIENTS {
            for way in Way::ALL {
                let figure = |figure| shown(self.median_of_way(*way, clients, figure), 1);
                let (p50, p99) = (figure(|seen| seen.p50_us), figure(|seen| seen.p99_us));
                let (rate, cpu) = (figure(|seen| seen.rate), figure(|seen| seen.cpu_us));
                let name = way.name();
                writeln!(out, "| {name} | {clients} | {p50} | {p99} | {rate} | {cpu} |")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_works(out)?;
        let (ours, envoy) = (self.idle_of(Subject::Ours), self.idle_of(Subject::Envoy));
        if ours.is_some() || envoy.is_some() {
            let ratio = shown(ratio(ours, envoy), 2);
            let (ours, envoy) = (shown(ours, 1), shown(envoy, 1));
            writeln!(out, "\n{}: ours {ours} KiB, Envoy {envoy} KiB", idle::NAME)?;
            writeln!(out, "(ratio {ratio}, goal below 1)")?;
        }
        self.fmt_ways(out)?;
        write!(out, "{}{}", self.hops, self.watched)
    }
}

fn seen(outcome: &Outcome) -> Value {
    let Outcome { cpu_us, busy, rate, p50_us, p99_us } = outcome;
    json!({"cpu_us": cpu_us, "busy": busy, "rate": rate, "p50_us": p50_us, "p99_us": p99_us})
}

fn median(figures: impl Iterator<Item = f64>) -> Option<f64> {
    let mut figures: Vec<_> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied()
}

fn ratio(ours: Option<f64>, envoy: Option<f64>) -> Option<f64> {
    Some(ours? / envoy?)
}

fn goal(goal: Option<f64>) -> String {
    goal.map_or_else(|| "-".to_owned(), |goal| format!("<= {goal:.2}"))
}

fn shown(figure: Option<f64>, digits: usize) -> String {
    figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.digits$}"))
}
