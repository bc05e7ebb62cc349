//! Our engine under 70 % load while endpoints come and go, routes change and clients go away.
//!
//! **Invariant:** clients that ask in earnest end at the first request that is not answered with
//! 200, and so does the soak, as a failure.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use super::{
    config::{Routes, Scene, ours},
    interrupt,
    load::{Load, Seen, Shape},
    peer::Peer,
    stage::{self, Stage},
    work::Work,
};
use crate::{bench::usage, lab::Process};

/// Soaks so many seconds, and prints how the memory went.
pub fn run(seconds: u64) -> Result<()> {
    interrupt::listen()?;
    let stage = Stage::loopback()?;
    let _more =
        MORE.map(|number| stage.serve_also(number)).into_iter().collect::<Result<Vec<_>>>()?;
    let running = Peer::Waypoint.start(Work::Http1, &stage)?;
    let process = running.load.proxy.context("no process")?;
    let full = Load { connections: 64, warm_up: 1000, period: 5000, ..running.load.clone() };
    let full = stage.measure(Peer::Waypoint, &full)?.rate;
    println!(
        "all that it takes on one core: {full:.0} requests/s; the load is {SHARE:.0} % of that"
    );
    let period = seconds * 1000;
    let earnest = Load {
        shape: Shape::Paced,
        rate: format!("{:.0}", full * SHARE / 100.0).parse()?,
        connections: 64,
        warm_up: 1000,
        period,
        ..running.load.clone()
    };
    let fickle = Load { shape: Shape::Abort, rate: ABORTS, connections: 1, ..earnest.clone() };
    let mut soak = Soak {
        earnest: stage.start_client("earnest", &earnest)?,
        fickle: stage.start_client("fickle", &fickle)?,
        churn: Churn::new(&stage.folder(&Peer::Waypoint.to_string()).join("manifests")),
        curve: Vec::new(),
        process,
    };
    soak.watch()?;
    soak.verdict(&earnest)
}

/// What runs, and what was seen so far.
struct Soak {
    earnest: Process,
    fickle: Process,
    churn: Churn,
    /// Resident KiB, at even intervals.
    curve: Vec<u64>,
    process: u32,
}

impl Soak {
    /// Changes the mesh and looks at the memory until the clients have ended.
    fn watch(&mut self) -> Result<()> {
        let began = Instant::now();
        while self.earnest.ended()?.is_none() {
            ensure!(!interrupt::comes_within(STEP), "interrupted");
            self.churn.step()?;
            if began.elapsed() >= LOOK * u32::try_from(self.curve.len())? {
                let kib = usage::resident_kib(self.process)?;
                let (seconds, steps) = (began.elapsed().as_secs(), self.churn.steps);
                println!("{seconds:>5} s  {:>6.1} MB  {steps} changes", mb(kib));
                self.curve.push(kib);
            }
            let fickle = self.fickle.ended()?;
            ensure!(fickle.is_none_or(|status| status.success()), "a client that goes away failed");
        }
        Ok(())
    }

    fn verdict(&mut self, load: &Load) -> Result<()> {
        if !self.earnest.ended()?.context("the clients still run")?.success() {
            self.earnest.is_alive()?;
        }
        let Seen { rate, p50_us, p99_us, cpu_us, .. } = Seen::read(&self.earnest.output()?)?;
        let asked = rate * load.period().as_secs_f64();
        println!(
            "{asked:.0} requests, none failed; {rate:.0}/s, {cpu_us:.1} µs CPU each, p50 \
             {p50_us:.0} µs, p99 {p99_us:.0} µs"
        );
        // What is allocated once is there after the first part.
        let (first, rest) = self.curve.split_at(self.curve.len() / 4);
        let before = first.iter().max().copied().unwrap_or_default();
        let after = rest.iter().max().copied().unwrap_or_default();
        println!("RSS at most {:.1} MB in the first quarter, {:.1} after", mb(before), mb(after));
        ensure!(first.is_empty() || after <= before + before / 10, "the memory grew");
        Ok(())
    }
}

/// Changes of the mesh.
struct Churn {
    manifests: PathBuf,
    steps: usize,
}

impl Churn {
    fn new(manifests: &Path) -> Self {
        Self { manifests: manifests.to_owned(), steps: 0 }
    }

    /// Makes an endpoint ready or not ready, and now and then changes the routes.
    fn step(&mut self) -> Result<()> {
        self.steps += 1;
        let pods = MORE.iter().enumerate().map(|(number, address)| {
            // Each has a rhythm of its own.
            let is_ready = (self.steps / (number + 1)).is_multiple_of(2);
            let name = format!("backend-{address}");
            ours::pod_of("backend", &name, stage::at(*address, 0).ip(), is_ready)
        });
        self.write("endpoints.yaml", &pods.collect::<Vec<_>>().join("---\n"))?;
        if self.steps.is_multiple_of(ROUTES_EVERY) {
            let scene = Scene {
                listen: stage::at(5, 80),
                backend: stage::at(9, 80),
                folder: PathBuf::new(),
                credentials: None,
                protocols: Work::Http1.protocols(),
                is_dressed: self.steps.is_multiple_of(2 * ROUTES_EVERY),
                routes: Routes::None,
                rules: 0,
            };
            self.write("routes.yaml", &ours::rules(&scene).unwrap_or_default())?;
        }
        Ok(())
    }

    /// Replaces a file at once.
    fn write(&self, name: &str, text: &str) -> Result<()> {
        let aside = self.manifests.with_extension("aside");
        fs::write(&aside, text)?;
        fs::rename(&aside, self.manifests.join(name)).with_context(|| name.to_owned())
    }
}

fn mb(kib: u64) -> f64 {
    f64::from(u32::try_from(kib).unwrap_or(u32::MAX)) / 1024.0
}

/// The load, as a part of what one core takes, in percent.
const SHARE: f64 = 70.0;
/// Connections a second that go away.
const ABORTS: u32 = 50;
/// The addresses of endpoints that come and go; one more stays.
const MORE: [u8; 4] = [11, 12, 13, 14];
/// From one change to the next.
const STEP: Duration = Duration::from_millis(300);
/// From one look at the memory to the next.
const LOOK: Duration = Duration::from_secs(10);
/// How many changes of endpoints there are for one of routes.
const ROUTES_EVERY: usize = 4;
