//! The table, for people and for programs.

use std::fmt;

use anyhow::Error;
use serde_json::{Value, json};

use super::{
    goals,
    load::{FIGURES, Seen},
    peer::Peer,
    work::Work,
};

/// What was measured.
#[derive(Debug, Default)]
pub struct Report {
    rounds: Vec<(Work, Peer, Seen)>,
    failures: Vec<(Work, Peer, String)>,
}

/// A figure of what was seen.
type Figure = fn(&mut Seen) -> &mut f64;

/// Median, lowest and highest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Report {
    pub(super) fn add(&mut self, work: Work, peer: Peer, seen: Seen) {
        self.rounds.push((work, peer, seen));
    }

    /// Takes note of what could not be measured.
    pub(super) fn failed(&mut self, work: Work, peer: Peer, why: &Error) {
        eprintln!("\n{}, {peer}: {why:#}", work.name());
        self.failures.push((work, peer, format!("{why:#}")));
    }

    /// What could not be measured, and why.
    pub fn failures(&self) -> Vec<String> {
        let told =
            |(work, peer, why): &(Work, Peer, String)| format!("{}, {peer}: {why}", work.name());
        self.failures.iter().map(told).collect()
    }

    /// The rounds of a figure.
    pub(super) fn spread(&self, work: Work, peer: Peer, figure: Figure) -> Option<Spread> {
        let of = |(at, by, _): &&(Work, Peer, Seen)| *at == work && *by == peer;
        let rounds = self.rounds.iter().filter(of);
        let mut all: Vec<f64> = rounds.map(|(_, _, seen)| *figure(&mut seen.clone())).collect();
        all.sort_by(f64::total_cmp);
        let median = *all.get(all.len() / 2)?;
        Some(Spread { median, low: *all.first()?, high: *all.last()? })
    }

    pub(super) fn median(&self, work: Work, peer: Peer, figure: Figure) -> Option<f64> {
        self.spread(work, peer, figure).map(|spread| spread.median)
    }

    /// What a row is about: CPU time of a request, or the memory of a connection.
    pub(super) fn cost(&self, work: Work, peer: Peer) -> Option<Spread> {
        let figure: Figure =
            if work.is_idle() { |seen| &mut seen.each_kib } else { |seen| &mut seen.cpu_us };
        self.spread(work, peer, figure)
    }

    /// What one costs as a multiple of what another does.
    fn ratio(&self, work: Work, (peer, to): (Peer, Peer)) -> Option<f64> {
        let cost = |peer| self.cost(work, peer).map(|spread| spread.median);
        Some(cost(peer)? / cost(to)?)
    }

    /// What the whole machine spends on a request as a multiple of what it does without a proxy.
    fn beside_nothing(&self, work: Work, peer: Peer) -> Option<f64> {
        let whole = |peer| self.median(work, peer, |seen| &mut seen.machine_us);
        Some(whole(peer)? / whole(Peer::None)?)
    }

    /// For programs: one object for each row and peer.
    pub fn json(&self) -> Value {
        let rows = Work::ALL.into_iter().flat_map(|work| Peer::ALL.map(|peer| (work, peer)));
        rows.filter_map(|(work, peer)| self.object(work, peer)).collect()
    }

    fn object(&self, work: Work, peer: Peer) -> Option<Value> {
        self.cost(work, peer)?;
        let mut object = json!({
            "work": work.name(),
            "peer": peer.to_string(),
            "to_envoy": self.ratio(work, (peer, Peer::Envoy)),
            "to_haproxy": self.ratio(work, (peer, Peer::Haproxy)),
            "machine_to_no_proxy": self.beside_nothing(work, peer),
        });
        for (name, of) in FIGURES {
            let spread = self.spread(work, peer, of)?;
            let Spread { median, low, high } = spread;
            let figures = json!({"median": median, "min": low, "max": high});
            object.as_object_mut()?.insert(name.to_owned(), figures);
        }
        Some(object)
    }

    fn line(&self, work: Work, peer: Peer, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(cost) = self.cost(work, peer) else { return Ok(()) };
        let Spread { median, low, high } = scaled(work, cost);
        let unit = match work {
            Work::Bulk => " ms",
            _ if work.is_idle() => " KiB",
            _ => "",
        };
        write!(out, "| {} | {peer} ", work.name())?;
        if peer == Peer::None {
            write!(out, "| – ")?;
        } else {
            write!(out, "| {median:.1}{unit} [{low:.1}..{high:.1}] ")?;
        }
        let figure = |figure| self.median(work, peer, figure);
        if work.is_idle() {
            write!(out, "| – | – | – ")?;
        } else {
            let rate = figure(|seen| &mut seen.rate);
            let digits = usize::from(work == Work::Bulk);
            write!(out, "| {} ", shown(rate, digits))?;
            write!(out, "| {} ", shown(figure(|seen| &mut seen.p50_us), 0))?;
            write!(out, "| {} ", shown(figure(|seen| &mut seen.p99_us), 0))?;
        }
        let rss = figure(|seen| &mut seen.rss_kib).filter(|kib| *kib > 0.0).map(|kib| kib / 1024.0);
        let ratios = [Peer::Envoy, Peer::Haproxy].map(|to| self.ratio(work, (peer, to)));
        let ratios = ratios.map(|ratio| ratio.filter(|_| peer != Peer::None));
        write!(out, "| {} ", shown(rss, 1))?;
        let [to_envoy, to_haproxy] = ratios.map(|ratio| shown(ratio, 2));
        let beside = shown(self.beside_nothing(work, peer), 2);
        writeln!(out, "| {to_envoy} | {to_haproxy} | {beside} |")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{TITLES}")?;
        for work in Work::ALL {
            Peer::ALL.iter().try_for_each(|peer| self.line(work, *peer, out))?;
        }
        write!(out, "\n{}", goals::told(self))
    }
}

/// In the unit of its row.
fn scaled(work: Work, spread: Spread) -> Spread {
    let by = if work == Work::Bulk { 1000.0 } else { 1.0 };
    Spread { median: spread.median / by, low: spread.low / by, high: spread.high / by }
}

fn shown(figure: Option<f64>, digits: usize) -> String {
    figure.map_or_else(|| "–".to_owned(), |figure| format!("{figure:.digits$}"))
}

const TITLES: &str = "\
| work | proxy | CPU µs per request [min..max] | requests/s | p50 µs | p99 µs | RSS MB \
| CPU to Envoy's | to HAProxy's | machine to no proxy |
|---|---|---|---|---|---|---|---|---|---|";
