//! Starting the programs of the `tests` crate that a person looks at: lab, demo, bench.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};

use crate::shell::{cargo, command, is_root, run, say, status, target};
use crate::{
    bpffs::Borrowed,
    cluster, ebpf, image, kube, product,
    setup::{self, packages},
};

/// Arguments handed on to the program.
#[derive(Args)]
pub(crate) struct Passed {
    /// Handed on, for example `--keep`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// What can be measured.
#[derive(Subcommand)]
pub(crate) enum Bench {
    /// Latency of a 64-byte ping-pong: without programs, left alone by them, captured
    Datapath(Passed),
    /// CPU, latency and memory of HBONE, beside Envoy doing the same: `--json FILE --seconds N`
    Hbone(Passed),
    /// How soon a changed label is in force, and what following a real API server costs:
    /// `--pods N --changes N --json FILE`
    Sync(Passed),
    /// What a request costs beside Envoy, HAProxy, nginx and no proxy: `--quick --json FILE`
    L7(Passed),
}

/// Leaves a topology standing to play in.
pub(crate) fn lab(passed: &Passed) -> Result<ExitCode> {
    need_root()?;
    product::for_the_lab()?;
    start("debug", "lab", passed)
}

/// Runs the demo; `--cluster` is for us, as there is more to prepare and to pass on.
pub(crate) fn demo(passed: &Passed) -> Result<ExitCode> {
    need_root()?;
    if !passed.arguments.iter().any(|argument| argument == "--cluster") {
        product::for_the_lab()?;
        return start("debug", "demo", passed);
    }
    let kube = cluster::prepare()?;
    say("demo");
    let mut demo = command(target().join("debug/demo"), &[]);
    let images = image::for_the_cluster_archives();
    demo.args(&passed.arguments).args(images).envs(kube.variables());
    Ok(if status(&mut demo)?.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs a measurement, with optimised programs.
pub(crate) fn bench(what: &Bench) -> Result<ExitCode> {
    let (program, passed) = match what {
        Bench::Datapath(passed) => ("bench-datapath", passed),
        Bench::Hbone(passed) => ("bench-hbone", passed),
        Bench::Sync(passed) => ("bench-sync", passed),
        Bench::L7(passed) => ("bench-l7", passed),
    };
    need_root()?;
    if matches!(what, Bench::L7(_)) {
        packages::ensure(&packages::missing_peers())?;
    }
    ebpf::build(&setup::run()?)?;
    if matches!(what, Bench::Sync(_)) {
        // The program finds there what is built here.
        kube::ensure()?;
    }
    say("build: optimised programs");
    run(cargo(&["build", "--release", "--bins"]).args(product::PACKAGES))?;
    start("release", program, passed)
}

/// Keeps the engine under load, with optimised programs.
pub(crate) fn soak(passed: &Passed) -> Result<ExitCode> {
    need_root()?;
    ebpf::build(&setup::run()?)?;
    say("build: optimised programs");
    run(cargo(&["build", "--release", "--bins"]).args(product::PACKAGES))?;
    let arguments = ["soak".to_owned()].into_iter().chain(passed.arguments.iter().cloned());
    start("release", "bench-l7", &Passed { arguments: arguments.collect() })
}

/// Fails before anything is built for nothing.
fn need_root() -> Result<()> {
    if !is_root() {
        bail!("network namespaces and BPF need root: run this command again as root");
    }
    Ok(())
}

fn start(profile: &str, program: &str, passed: &Passed) -> Result<ExitCode> {
    say(program);
    let _bpffs = Borrowed::look();
    let path = target().join(profile).join(program);
    let ended = status(command(path, &[]).args(&passed.arguments))?;
    Ok(if ended.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
