//! Running the tests, ring by ring, and saying in one line how it went.
//!
//! It does not know what is tested: rings are told apart by where a test lives. Unit tests live
//! beside the code; `tests/tests/golden*.rs` are golden, `tests/tests/cluster*.rs` need a
//! Kubernetes control plane; the other files there need the lab, and some of them are told once
//! more with the control plane as the lab's source of objects.
//!
//! **Invariant:** a test that did not run is counted and its reason printed; a ring that breaks
//! before it can count its tests counts as one failure.

use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use crate::kube::{self, Kube};
use crate::shell::{cargo, is_root, root, say};
use crate::{bpffs::Borrowed, cluster, leaks, product};

mod tally;

use tally::Tally;

/// Which tests to run.
#[derive(Args, Default)]
pub(crate) struct Request {
    /// Only this ring
    #[arg(long, value_enum)]
    ring: Option<Ring>,
    /// Only tests whose name contains this
    filter: Option<String>,
}

/// A ring: the further out, the more of the machine it needs.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Ring {
    /// Pure code, in process
    Unit,
    /// Text in, text out
    Golden,
    /// Real processes in real network namespaces; needs root
    Lab,
    /// A real Kubernetes control plane; what runs on nodes of the lab needs root
    Cluster,
}

/// Prepares everything, runs the rings that are asked for, and prints the outcome.
pub(crate) fn run(request: &Request) -> Result<ExitCode> {
    let mut tally = Tally::default();
    let mut times = Vec::new();
    let mut kube = None;
    let started = Instant::now();
    product::for_the_lab()?;
    product::tests()?;
    times.push(("build", started.elapsed()));
    if request.ring.is_none_or(|only| only == Ring::Cluster) {
        let started = Instant::now();
        kube = Some(if is_root() { cluster::add_to_programs()? } else { kube::ensure()? });
        times.push(("kube", started.elapsed()));
    }
    for ring in Ring::value_variants() {
        if request.ring.is_none_or(|only| only == *ring) {
            let started = Instant::now();
            run_ring(*ring, request, kube.as_ref(), &mut tally)?;
            times.push((ring.name(), started.elapsed()));
        }
    }
    if let Some(filter) = &request.filter
        && tally == Tally::default()
    {
        tally.fail(&format!("no test has `{filter}` in its name"));
    }
    print_outcome(&times, &tally);
    Ok(if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Ring {
    fn name(self) -> &'static str {
        match self {
            Self::Unit => "unit",
            Self::Golden => "golden",
            Self::Lab => "lab",
            Self::Cluster => "cluster",
        }
    }

    /// The cargo commands that run it.
    fn batches(self) -> Result<Vec<Batch>> {
        Ok(match self {
            Self::Unit => vec![
                Batch::of(cargo(&["test", "-p", "xtask"])),
                Batch::of(product_test(&["--lib"])),
                Batch::of(cargo(&[
                    "test",
                    "-p",
                    "waypoint-common",
                    "-p",
                    "waypoint-user",
                    "--doc",
                ])),
            ],
            Self::Golden | Self::Lab | Self::Cluster => {
                let mut targets = targets()?;
                targets.retain(|name| Self::of_target(name) == self);
                let on_nodes: Vec<String> =
                    targets.extract_if(.., |name| name.starts_with(ON_NODES)).collect();
                let mut batch = Batch::of(product_test(&picked(&targets)));
                batch.needs_root = (self == Self::Lab).then_some(WHY_ROOT);
                let mut batches = if targets.is_empty() { Vec::new() } else { vec![batch] };
                if self == Self::Cluster {
                    batches.push(Batch::on_nodes(&on_nodes));
                    batches.push(Batch::told_again());
                }
                batches
            }
        })
    }

    /// The ring that a target of the tests belongs to.
    fn of_target(name: &str) -> Self {
        match name {
            _ if name.starts_with("golden") => Self::Golden,
            _ if name.starts_with("cluster") => Self::Cluster,
            _ => Self::Lab,
        }
    }
}

/// Tests that run together.
struct Batch {
    command: Command,
    /// What they need root for, if they do.
    needs_root: Option<&'static str>,
    /// Tests of it that do not run, by their names.
    left_out: &'static [&'static str],
    /// What tells their names from the same ones in another batch.
    mark: &'static str,
}

impl Batch {
    fn of(command: Command) -> Self {
        Self { command, needs_root: None, left_out: &[], mark: "" }
    }

    /// Those in a cluster of real nodes.
    fn on_nodes(targets: &[String]) -> Self {
        let mut batch = Self::of(product_test(&picked(targets)));
        batch.needs_root = Some("needs root, for nodes made of namespaces");
        batch
    }

    /// Stories of the lab with a control plane as the source, in the place of a directory.
    fn told_again() -> Self {
        let targets = TOLD_AGAIN.map(str::to_owned);
        let mut command = product_test(&picked(&targets));
        command.env("WAYPOINT_LAB_SOURCE", "cluster");
        let needs_root = Some(WHY_ROOT);
        Self { command, needs_root, left_out: ABOUT_FILES, mark: "with a cluster: " }
    }

    /// Runs it, or says why not.
    fn run(mut self, filter: Option<&str>, kube: Option<&Kube>, tally: &mut Tally) -> Result<()> {
        let command = self.command.args(["--no-fail-fast", "--"]).args(filter);
        command.args(self.left_out.iter().flat_map(|name| ["--skip", name]));
        command.envs(kube.into_iter().flat_map(Kube::variables));
        let before = tally.mark();
        match self.needs_root {
            Some(reason) if !is_root() => skip(command, reason, tally)?,
            _ => watch(command.arg("--show-output"), tally)?,
        }
        tally.name_since(before, self.mark);
        Ok(())
    }
}

fn run_ring(ring: Ring, request: &Request, kube: Option<&Kube>, tally: &mut Tally) -> Result<()> {
    say(&format!("test: ring {}", ring.name()));
    let _bpffs = Borrowed::look();
    let before = leaks::on_this_host();
    for batch in ring.batches()? {
        batch.run(request.filter.as_deref(), kube, tally)?;
    }
    if matches!(ring, Ring::Lab | Ring::Cluster) && is_root() {
        for left in leaks::on_this_host().difference(&before) {
            tally.fail(&format!("left on this host: {left}"));
        }
    }
    Ok(())
}

/// Counts tests that cannot run here, without running them.
fn skip(command: &mut Command, reason: &str, tally: &mut Tally) -> Result<()> {
    let list = command.arg("--list").stderr(Stdio::inherit()).output()?;
    let names = String::from_utf8_lossy(&list.stdout).into_owned();
    for name in names.lines().filter_map(|line| line.strip_suffix(": test")) {
        tally.skip(name, reason);
    }
    Ok(())
}

/// Runs tests, showing what they print as they print it.
fn watch(command: &mut Command, tally: &mut Tally) -> Result<()> {
    let mut child = command.stdout(Stdio::piped()).spawn().context("cargo does not start")?;
    let failed_before = tally.failed;
    for line in BufReader::new(child.stdout.take().context("cargo has no output")?).lines() {
        let line = line?;
        if tally.read(&line) {
            println!("{line}");
        }
    }
    if !child.wait()?.success() && tally.failed == failed_before {
        tally.fail("a test program ended before it could report (see above)");
    }
    Ok(())
}

fn print_outcome(times: &[(&str, Duration)], tally: &Tally) {
    println!();
    for (name, time) in times {
        println!("{name:<7} {:>7.1} s", time.as_secs_f64());
    }
    for failure in &tally.failures {
        println!("FAILED: {failure}");
    }
    for skip in &tally.skips {
        println!("SKIPPED: {skip}");
    }
    println!("{} passed, {} failed, {} skipped", tally.passed, tally.failed, tally.skipped);
}

fn product_test(targets: &[&str]) -> Command {
    let mut command = cargo(&["test"]);
    command.args(product::PACKAGES).args(targets);
    command
}

fn picked(targets: &[String]) -> Vec<&str> {
    targets.iter().flat_map(|name| ["--test", name]).collect()
}

/// The test targets, which all live in one folder.
fn targets() -> Result<Vec<String>> {
    let folder = root().join("tests/tests");
    let mut names = Vec::new();
    for entry in folder.read_dir().with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}

const WHY_ROOT: &str = "needs root, for network namespaces and BPF";
/// Targets of the lab that say nothing of where objects come from, and so are told twice;
/// those that begin with `mesh_` by agents, waypoints and a controller on several nodes.
const TOLD_AGAIN: [&str; 10] = [
    "binding",
    "enrolment",
    "failure",
    "policy",
    "traffic",
    "mesh_binding",
    "mesh_capture",
    "mesh_identity",
    "mesh_locality",
    "mesh_policy",
];
/// Stories of those that are about files.
const ABOUT_FILES: &[&str] = &["a_broken_manifest_keeps_the_last_good_state"];
/// How targets begin that need a cluster of real nodes.
const ON_NODES: &str = "cluster_nodes";
