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
mod eye;
mod hop;
mod idle;
mod ours;
mod report;
mod stage;
mod subject;
mod target;
mod way;
mod work;

use std::time::Duration;

use anyhow::Result;

pub use report::Report;

use stage::Stage;
use subject::{Running, Subject};
use work::Work;

use super::{ca, usage};

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

/// Measures, row by row; a row that fails is told of, and does not take the others along.
pub fn run(settings: &Settings) -> Result<Report> {
    let stage = Stage::new()?;
    let mut report = Report::default();
    let wanted = |name: &str| settings.only.as_ref().is_none_or(|only| name.contains(only));
    for work in Work::ALL.iter().filter(|work| wanted(work.name())) {
        let measured = measure(&stage, *work, settings, &mut report);
        report.failed(work.name(), measured.err());
    }
    if wanted(idle::NAME) {
        let measured = measure_idle(&stage, &mut report);
        report.failed(idle::NAME, measured.err());
    }
    if wanted(way::NAME) {
        let measured = way::measure(settings, &mut report);
        report.failed(way::NAME, measured.err());
    }
    if wanted(hop::NAME) {
        let measured = hop::measure(settings, &mut report);
        report.failed(hop::NAME, measured.err());
    }
    if wanted(eye::NAME) {
        let measured = eye::measure(settings, &mut report);
        report.failed(eye::NAME, measured.err());
    }
    Ok(report)
}

fn measure_idle(stage: &Stage, report: &mut Report) -> Result<()> {
    for subject in Subject::ALL {
        let running = subject.start(Work::HboneToHttp, stage)?;
        let kib = idle::measure(stage, &running)?;
        eprintln!("{}, {subject}: {kib:.1} KiB", idle::NAME);
        report.idle(*subject, kib);
        running.end(stage)?;
    }
    Ok(())
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
