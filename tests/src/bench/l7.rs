//! What the engine costs beside Envoy, HAProxy and nginx doing the same, and beside no proxy.
//!
//! Client, proxy and backend are processes of their own in one network namespace, over loopback.
//! The proxy has core 0 and one worker; client and backend share core 1. Everybody is told the same
//! by `config`, and they take turns, so that what drifts on the machine drifts for all of them.
//! Ours serves its Service at the Service's own address (`--listen-service`), so that the kernel's
//! path is not in these figures; where it is asked for, clients are pods whose connections the
//! kernel captures, and the others have a pod of their own.
//!
//! **Invariant:** what is reported as CPU time is the proxy's own, read from `/proc`; nothing is
//! subtracted.

pub mod backend;
pub mod client;
pub mod config;
mod goals;
mod interrupt;
pub mod load;
mod peer;
mod progress;
mod report;
pub mod soak;
mod stage;
mod work;

use anyhow::{Context, Result, ensure};

pub use peer::Peer;
pub use report::Report;

use load::Load;
use peer::Running;
use progress::Progress;
use stage::Stage;
use work::Work;

/// How much is measured.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Milliseconds of one measurement, after its warm-up.
    pub period: u64,
    /// Milliseconds before that.
    pub warm_up: u64,
    /// How often each is taken, in turn.
    pub rounds: usize,
    /// Whether fewer idle connections do.
    pub is_quick: bool,
    /// Only rows whose name contains this.
    pub only: Option<String>,
    /// Who is measured.
    pub peers: Vec<Peer>,
    /// Whether clients are pods whose connections the kernel captures.
    pub is_captured: bool,
}

/// Measures, row by row; what fails is told of, and does not take the rest along.
pub fn run(settings: &Settings) -> Result<Report> {
    interrupt::listen()?;
    let loopback = if settings.is_captured { None } else { Some(Stage::loopback()?) };
    let mut report = Report::default();
    let named = |work: &Work| settings.only.as_ref().is_none_or(|only| work.name().contains(only));
    // Pods do not speak TLS there; it is their agents that do.
    let fits = |work: &Work| !(settings.is_captured && work.is_tls());
    let rows: Vec<Work> = Work::ALL.into_iter().filter(named).filter(fits).collect();
    ensure!(!rows.is_empty(), "no row is called so");
    let takers = |work: Work| settings.peers.iter().filter(move |peer| peer.does(work));
    let count = rows.iter().map(|work| takers(*work).count() * rounds(*work, settings)).sum();
    let mut progress = Progress::new(count);
    for work in rows {
        let peers: Vec<Peer> = takers(work).copied().collect();
        let own = if settings.is_captured { Some(Stage::captured(work)?) } else { None };
        let stage = own.as_ref().or(loopback.as_ref()).context("no stage")?;
        let mut row = Row { work, settings, stage, report: &mut report };
        if work.is_idle() {
            row.measure_anew(&peers, &mut progress);
        } else {
            row.measure(&peers, &mut progress);
        }
        ensure!(!interrupt::came(), "interrupted");
    }
    progress.end();
    Ok(report)
}

fn rounds(work: Work, settings: &Settings) -> usize {
    // Memory is the same each time, and takes a new process each time.
    if work.is_idle() { 1 } else { settings.rounds }
}

/// One row.
struct Row<'r> {
    work: Work,
    settings: &'r Settings,
    stage: &'r Stage,
    report: &'r mut Report,
}

impl Row<'_> {
    /// Every proxy is started once, and they take turns.
    fn measure(&mut self, peers: &[Peer], progress: &mut Progress) {
        let mut running = Vec::new();
        for peer in peers {
            match peer.start(self.work, self.stage) {
                Ok(started) => running.push((*peer, started)),
                Err(error) => self.report.failed(self.work, *peer, &error),
            }
        }
        for round in 1..=self.settings.rounds {
            for (peer, running) in &running {
                self.take(*peer, running, round, progress);
            }
        }
    }

    /// Each is started for its turn.
    fn measure_anew(&mut self, peers: &[Peer], progress: &mut Progress) {
        for peer in peers {
            match peer.start(self.work, self.stage) {
                Ok(running) => self.take(*peer, &running, 1, progress),
                Err(error) => self.report.failed(self.work, *peer, &error),
            }
        }
    }

    fn take(&mut self, peer: Peer, running: &Running, round: usize, progress: &mut Progress) {
        if interrupt::came() {
            return;
        }
        let (connections, streams) = self.work.breadth(self.settings.is_quick);
        let Settings { warm_up, period, .. } = *self.settings;
        let load = Load { connections, streams, warm_up, period, ..running.load.clone() };
        match self.stage.measure(peer, &load) {
            Ok(seen) => {
                progress.took(self.work, peer, round, seen);
                self.report.add(self.work, peer, seen);
            }
            Err(error) => self.report.failed(self.work, peer, &error),
        }
    }
}
