//! Fuzzing everything that parses bytes from outside, guided by coverage.
//!
//! The targets are in `tests/fuzz`. Continuous integration runs none of them: a machine that has
//! time does, and what is found becomes a test of the ordinary kind.
//!
//! **Invariant:** what is fuzzed has the dependencies, to the version, of what is built.

use std::fs;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use crate::shell::{ask, cargo, root, run, say, search_path, status, which};
use crate::{ebpf, setup};

/// What to fuzz, and how long.
#[derive(Args)]
pub(crate) struct Request {
    /// Only this target
    #[arg(value_enum)]
    target: Option<Target>,
    /// How long to look at each target
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
}

/// A target.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Target {
    /// Targets of CONNECT
    Authority,
    /// The field `baggage`
    Baggage,
    /// First bytes of TLS clients
    ClientHello,
    /// Records of the kernel's ring buffer
    Events,
    /// The field `forwarded`
    Forwarded,
    /// Edits of header fields
    Headers,
    /// Blocks of fields of HTTP/2
    Hpack,
    /// Servers of HTTP/2
    Http2Client,
    /// Clients of HTTP/2
    Http2Server,
    /// Manifests, from their bytes to a Snapshot
    Manifests,
    /// Paths of requests and of policies
    Paths,
    /// Regular expressions and string matches
    Patterns,
    /// PROXY protocol, version 2
    ProxyV2,
    /// Requests of HTTP/1 clients
    Request,
    /// Responses of HTTP/1 endpoints
    Response,
    /// Request heads through a table of routes
    Route,
    /// The field `x-forwarded-client-cert`
    Xfcc,
}

/// Builds the targets, runs those that are asked for, and says which of them found something.
pub(crate) fn run_targets(request: &Request) -> Result<ExitCode> {
    ensure_tools()?;
    ebpf::build(&setup::run()?)?;
    let lock = root().join(FOLDER).join("Cargo.lock");
    fs::copy(root().join("Cargo.lock"), &lock).with_context(|| lock.display().to_string())?;
    let mut found = Vec::new();
    for target in Target::value_variants() {
        if request.target.is_none_or(|only| only == *target) && !is_clean(*target, request)? {
            found.push(target.name());
        }
    }
    if found.is_empty() {
        say("fuzz: nothing found");
        return Ok(ExitCode::SUCCESS);
    }
    say(&format!("fuzz: look into {FOLDER}/artifacts of {}", found.join(", ")));
    Ok(ExitCode::FAILURE)
}

impl Target {
    fn name(self) -> &'static str {
        match self {
            Self::Authority => "authority",
            Self::Baggage => "baggage",
            Self::ClientHello => "client_hello",
            Self::Events => "events",
            Self::Forwarded => "forwarded",
            Self::Headers => "headers",
            Self::Hpack => "hpack",
            Self::Http2Client => "http2_client",
            Self::Http2Server => "http2_server",
            Self::Manifests => "manifests",
            Self::Paths => "paths",
            Self::Patterns => "patterns",
            Self::ProxyV2 => "proxy_v2",
            Self::Request => "request",
            Self::Response => "response",
            Self::Route => "route",
            Self::Xfcc => "xfcc",
        }
    }

    /// Where inputs to begin with are.
    fn seeds(self) -> String {
        match self {
            Self::Manifests => "tests/data".to_owned(),
            _ => format!("{FOLDER}/seeds/{}", self.name()),
        }
    }
}

/// Fuzzes one target; inputs that reach new code are kept for the next time.
fn is_clean(target: Target, request: &Request) -> Result<bool> {
    say(&format!("fuzz: {} for {} seconds", target.name(), request.seconds));
    let corpus = format!("{CORPUS}/{}", target.name());
    fs::create_dir_all(root().join(&corpus)).with_context(|| corpus.clone())?;
    let mut command = nightly(&["cargo", "fuzz", "run", "--fuzz-dir", FOLDER]);
    // All the code is safe, so there is nothing for a sanitizer to find.
    command.args(["--sanitizer", "none", "--target-dir", BUILD]);
    command.args([target.name(), &corpus, &target.seeds(), "--", "-print_final_stats=1"]);
    command.arg(format!("-max_total_time={}", request.seconds));
    command.arg(format!("-timeout={INPUT_SECONDS_MAX}"));
    Ok(status(&mut command)?.success())
}

/// Installs cargo-fuzz unless it is there; a nightly toolchain is for its user to install.
fn ensure_tools() -> Result<()> {
    let nightly_is_there =
        which("rustup").is_some() && ask(&mut nightly(&["rustc", "--version"])).is_some();
    if !nightly_is_there {
        bail!("fuzzing needs a nightly compiler: run `{NIGHTLY}`");
    }
    if which("cargo-fuzz").is_some() {
        return Ok(());
    }
    say("fuzz: building cargo-fuzz (about a minute, once per machine)");
    run(&mut cargo(&["install", "cargo-fuzz", "--locked"]))
}

/// A program of the nightly toolchain, cut off from the calling cargo's settings.
fn nightly(arguments: &[&str]) -> Command {
    let mut command = crate::shell::command("rustup", &["run", "nightly"]);
    command.args(arguments);
    for variable in ["RUSTUP_TOOLCHAIN", "CARGO", "RUSTC", "LD_LIBRARY_PATH"] {
        command.env_remove(variable);
    }
    if let Ok(path) = std::env::join_paths(search_path()) {
        command.env("PATH", path);
    }
    command
}

/// The targets' own workspace.
const FOLDER: &str = "tests/fuzz";
/// Where they are built.
const BUILD: &str = "target/fuzz";
/// Inputs that were found to reach new code.
const CORPUS: &str = "target/fuzz-corpus";
/// An input that takes longer than this is a finding.
const INPUT_SECONDS_MAX: u32 = 10;
/// What brings the compiler.
const NIGHTLY: &str = "rustup toolchain install nightly --profile minimal";
