//! Running the tests, ring by ring, and saying in one line how it went.
//!
//! It does not know what is tested: rings are told apart by where a test lives. Unit tests live
//! beside the code; `tests/tests/golden*.rs` are golden; the other files there need the lab.
//!
//! **Invariant:** a test that did not run is counted and its reason printed; a ring that breaks
//! before it can count its tests counts as one failure.

use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use crate::shell::{cargo, is_root, root, say};
use crate::{bpffs::Borrowed, leaks, product};

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
}

/// Prepares everything, runs the rings that are asked for, and prints the outcome.
pub(crate) fn run(request: &Request) -> Result<ExitCode> {
    let mut tally = Tally::default();
    let mut times = Vec::new();
    let started = Instant::now();
    product::for_the_lab()?;
    product::tests()?;
    times.push(("build", started.elapsed()));
    for ring in Ring::value_variants() {
        if request.ring.is_none_or(|only| only == *ring) {
            let started = Instant::now();
            run_ring(*ring, request, &mut tally)?;
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
        }
    }

    /// The cargo commands that run it.
    fn commands(self) -> Result<Vec<Command>> {
        Ok(match self {
            Self::Unit => vec![
                cargo(&["test", "-p", "xtask"]),
                product_test(&["--lib"]),
                cargo(&["test", "-p", "waypoint-common", "-p", "waypoint-user", "--doc"]),
            ],
            Self::Golden | Self::Lab => {
                let mut targets = targets()?;
                targets.retain(|name| name.starts_with("golden") == (self == Self::Golden));
                let picked: Vec<&str> = targets.iter().flat_map(|name| ["--test", name]).collect();
                if picked.is_empty() { Vec::new() } else { vec![product_test(&picked)] }
            }
        })
    }
}

fn run_ring(ring: Ring, request: &Request, tally: &mut Tally) -> Result<()> {
    say(&format!("test: ring {}", ring.name()));
    if ring == Ring::Lab && !is_root() {
        return skip(ring, "needs root, for network namespaces and BPF", tally);
    }
    let _bpffs = Borrowed::look();
    let before = leaks::on_this_host();
    for mut command in ring.commands()? {
        command.args(["--no-fail-fast", "--"]).args(request.filter.as_deref());
        watch(command.arg("--show-output"), tally)?;
    }
    if ring == Ring::Lab {
        for left in leaks::on_this_host().difference(&before) {
            tally.fail(&format!("left on this host: {left}"));
        }
    }
    Ok(())
}

/// Counts the tests of a ring that cannot run here, without running them.
fn skip(ring: Ring, reason: &str, tally: &mut Tally) -> Result<()> {
    for mut command in ring.commands()? {
        let list = command.args(["--", "--list"]).stderr(Stdio::inherit()).output()?;
        let names = String::from_utf8_lossy(&list.stdout).into_owned();
        for name in names.lines().filter_map(|line| line.strip_suffix(": test")) {
            tally.skip(name, reason);
        }
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
