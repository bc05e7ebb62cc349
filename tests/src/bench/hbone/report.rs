//! The table, for people and for programs.

use std::fmt;

use serde_json::{Value, json};

use super::{clients::Outcome, idle, subject::Subject, work::Work};

/// What was measured.
#[derive(Debug, Default)]
pub struct Report {
    outcomes: Vec<(Work, Subject, Outcome)>,
    idle: Vec<(Subject, f64)>,
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

    /// The median of the rounds.
    fn median(&self, work: Work, subject: Subject, figure: Figure) -> Option<f64> {
        let of = |(at, by, _): &&(Work, Subject, Outcome)| *at == work && *by == subject;
        let mut rounds: Vec<_> =
            self.outcomes.iter().filter(of).map(|(_, _, outcome)| figure(outcome)).collect();
        rounds.sort_by(f64::total_cmp);
        rounds.get(rounds.len() / 2).copied()
    }

    fn idle_of(&self, subject: Subject) -> Option<f64> {
        self.idle.iter().find(|(by, _)| *by == subject).map(|(_, kib)| *kib)
    }

    /// For programs: every round, and the medians.
    pub fn json(&self) -> Value {
        let rounds = self.outcomes.iter().map(|(work, subject, outcome)| {
            let Outcome { cpu_us, busy, rate, p50_us, p99_us } = outcome;
            json!({
                "work": work.name(), "proxy": subject.to_string(), "cpu_us": cpu_us,
                "busy": busy, "rate": rate, "p50_us": p50_us, "p99_us": p99_us,
            })
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
            "rows": rows.collect::<Vec<_>>(),
            "idle_kib": {"ours": ours, "envoy": envoy, "ratio": ratio(ours, envoy)},
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

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let titles = "| work | ours | Envoy | ratio | goal | p50 µs | p99 µs | requests/s |";
        writeln!(out, "CPU µs per request; p50, p99 and rate: ours / Envoy\n\n{titles}")?;
        writeln!(out, "|---|---|---|---|---|---|---|---|")?;
        for work in Work::ALL {
            self.row(*work, out)?;
        }
        let (ours, envoy) = (self.idle_of(Subject::Ours), self.idle_of(Subject::Envoy));
        if ours.is_some() || envoy.is_some() {
            let ratio = shown(ratio(ours, envoy), 2);
            let (ours, envoy) = (shown(ours, 1), shown(envoy, 1));
            writeln!(out, "\n{}: ours {ours} KiB, Envoy {envoy} KiB", idle::NAME)?;
            writeln!(out, "(ratio {ratio}, goal below 1)")?;
        }
        Ok(())
    }
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
