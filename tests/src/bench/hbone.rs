//! What HBONE costs: CPU time, latency and memory of our waypoint beside Envoy doing the same.
//!
//! Everything runs in one network namespace, over loopback. The proxy under test has core 0 and one
//! worker; the clients and the backend are this program, on core 1. The two proxies take turns, so
//! that what drifts on the machine drifts for both.
//!
//! **Invariant:** what is reported as CPU time is the proxy's own, read from `/proc`; nothing is
//! subtracted.

mod clients;
mod envoy;
mod idle;
mod ours;
mod report;
mod stage;
mod subject;
mod target;
mod usage;
mod way;
mod work;

use std::time::Duration;

use anyhow::Result;

pub use report::Report;

use stage::Stage;
use subject::{Running, Subject};
use work::Work;

/// How much is measured.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Seconds of one measurement, after its warm-up.
    pub seconds: u64,
    /// How often each is taken, in turn.
    pub rounds: usize,
    /// Only rows whose name contains this.
    pub only: Option<String>,
}

/// Measures, row by row.
pub fn run(settings: &Settings) -> Result<Report> {
    let stage = Stage::new()?;
    let mut report = Report::default();
    let wanted = |name: &str| settings.only.as_ref().is_none_or(|only| name.contains(only));
    for work in Work::ALL.iter().filter(|work| wanted(work.name())) {
        measure(&stage, *work, settings, &mut report)?;
    }
    if wanted(idle::NAME) {
        for subject in Subject::ALL {
            eprintln!("{}: {subject}", idle::NAME);
            let running = subject.start(Work::HboneToHttp, &stage)?;
            report.idle(*subject, idle::measure(&stage, &running)?);
            running.end(&stage)?;
        }
    }
    if wanted(way::NAME) {
        way::measure(settings, &mut report)?;
    }
    Ok(report)
}

/// One row: every proxy is started once, and they take turns.
fn measure(stage: &Stage, work: Work, settings: &Settings, report: &mut Report) -> Result<()> {
    let started = |subject: &Subject| Ok((*subject, subject.start(work, stage)?));
    let running = Subject::ALL.iter().map(started).collect::<Result<Vec<(_, Running)>>>()?;
    let period = Duration::from_secs(settings.seconds);
    for round in 1..=settings.rounds {
        for (subject, running) in &running {
            let Running { target, process, .. } = running;
            let outcome = stage.run(clients::measure(target, &[*process], period))?;
            eprintln!("{}, round {round}, {subject}: {outcome}", work.name());
            report.add(work, *subject, outcome);
        }
    }
    running.into_iter().try_for_each(|(_, running)| running.end(stage))
}
