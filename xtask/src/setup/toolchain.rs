//! Compilers that can make BPF, and their linker.
//!
//! Two kinds are known: rustup's nightly with `rust-src`, which compiles `core` for BPF itself, and
//! a compiler whose package brings `core` for BPF. Neither replaces the toolchain of the userspace.

use std::fmt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

use super::packages;
use crate::shell::{ask, cargo, run, say, search_path, which, which_all};

/// A compiler that can make BPF.
pub(crate) enum Toolchain {
    /// rustup's nightly, with the sources of `core`.
    Nightly,
    /// A compiler that has `core` for BPF in its own folder, and the cargo beside it.
    Packaged {
        /// The compiler.
        rustc: PathBuf,
        /// Its cargo.
        cargo: PathBuf,
    },
}

impl Toolchain {
    /// Its cargo with a subcommand, set up for BPF and cut off from the calling cargo's settings.
    pub(crate) fn cargo(&self, subcommand: &str) -> Command {
        let mut cargo = match self {
            Self::Nightly => {
                crate::shell::command("rustup", &["run", "nightly", "cargo", subcommand])
            }
            Self::Packaged { cargo, .. } => crate::shell::command(cargo, &[subcommand]),
        };
        for variable in
            ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTUP_TOOLCHAIN", "CARGO", "LD_LIBRARY_PATH"]
        {
            cargo.env_remove(variable);
        }
        // Its own clippy must be found before that of the userspace's toolchain.
        let own = match self {
            Self::Nightly => None,
            Self::Packaged { cargo, .. } => cargo.parent().map(PathBuf::from),
        };
        if let Ok(path) = std::env::join_paths(own.into_iter().chain(search_path())) {
            cargo.env("PATH", path);
        }
        match self {
            Self::Nightly => cargo.args(["-Z", "build-std=core"]),
            // aya-ebpf uses inline assembly for BPF, which stable compilers gate.
            Self::Packaged { rustc, .. } => cargo.env("RUSTC", rustc).env("RUSTC_BOOTSTRAP", "1"),
        };
        cargo.args(["--release", "--target", TARGET]);
        cargo.env("CARGO_TARGET_BPFEL_UNKNOWN_NONE_RUSTFLAGS", "-C debuginfo=2 -C link-arg=--btf");
        cargo
    }

    /// Installs the toolchain's clippy unless it is there.
    pub(crate) fn ensure_clippy(&self) -> Result<()> {
        match self {
            Self::Packaged { cargo, .. } if !cargo.with_file_name("cargo-clippy").is_file() => {
                packages::ensure(&["rust-web-clippy"])
            }
            Self::Packaged { .. } | Self::Nightly => Ok(()),
        }
    }
}

impl fmt::Display for Toolchain {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nightly => write!(out, "rustup's nightly"),
            Self::Packaged { rustc, .. } => write!(out, "{}", rustc.display()),
        }
    }
}

/// The first toolchain of this machine that can make BPF.
pub(crate) fn find() -> Option<Toolchain> {
    nightly().or_else(packaged)
}

/// Installs the packaged toolchain, which needs no nightly.
pub(crate) fn install() -> Result<Toolchain> {
    if which("apt-cache").is_none() || !packages::is_offered(BPF_CORE) {
        bail!("no compiler here can make BPF: run `{NIGHTLY}`");
    }
    packages::ensure(COMPILER)?;
    match find() {
        Some(toolchain) => Ok(toolchain),
        None => bail!("{} are installed, but no rustc has `core` for {TARGET}", COMPILER.join(" ")),
    }
}

/// Installs bpf-linker unless it is there.
pub(crate) fn ensure_linker() -> Result<()> {
    let installed = which("bpf-linker").and_then(|path| ask(Command::new(path).arg("--version")));
    if installed.is_some_and(|version| version.ends_with(LINKER)) {
        return Ok(());
    }
    if which("llvm-config-22").is_none() {
        packages::ensure(LLVM)?;
    }
    say("setup: building bpf-linker (about two minutes, once per machine)");
    let features = ["--no-default-features", "--features", "llvm-22"];
    run(cargo(&["install", "bpf-linker", "--locked", "--version", LINKER])
        .args(features)
        .env("LLVM_PREFIX", "/usr/lib/llvm-22"))
}

fn nightly() -> Option<Toolchain> {
    which("rustup")?;
    let rustc = |argument: &[&str]| {
        ask(Command::new("rustup").args(["run", "nightly", "rustc"]).args(argument))
    };
    let sources =
        PathBuf::from(rustc(&["--print", "sysroot"])?).join("lib/rustlib/src/rust/library");
    let fits = sources.is_dir() && llvm_major(&rustc(&["-vV"])?)? <= LINKER_LLVM;
    fits.then_some(Toolchain::Nightly)
}

fn packaged() -> Option<Toolchain> {
    which_all("rustc").into_iter().find_map(|rustc| {
        let ask_folder = ["--print", "target-libdir", "--target", TARGET];
        let folder = PathBuf::from(ask(Command::new(&rustc).args(ask_folder))?);
        let mut files = folder.read_dir().ok()?.flatten();
        files.find(|file| file.file_name().to_string_lossy().starts_with("libcore-"))?;
        let cargo = rustc.with_file_name("cargo");
        cargo.is_file().then_some(Toolchain::Packaged { rustc, cargo })
    })
}

/// The major version of LLVM in the output of `rustc -vV`.
fn llvm_major(verbose: &str) -> Option<u32> {
    let version = verbose.lines().find_map(|line| line.strip_prefix("LLVM version: "))?;
    version.split('.').next()?.parse().ok()
}

/// The target that tcx and sk_lookup programs are compiled for.
pub(crate) const TARGET: &str = "bpfel-unknown-none";
/// Version of bpf-linker that is known to work with both kinds of toolchain.
const LINKER: &str = "0.13.0";
/// LLVM that the linker is built with; it reads bitcode of this version and older.
const LINKER_LLVM: u32 = 22;
/// What brings a toolchain where Debian's is not offered.
const NIGHTLY: &str = "rustup toolchain install nightly --component rust-src";
const BPF_CORE: &str = "libstd-rust-web-dev-bpf";
const COMPILER: &[&str] = &["rustc-web", "cargo-web", BPF_CORE];
const LLVM: &[&str] = &["llvm-22-dev", "libpolly-22-dev"];

#[cfg(test)]
mod tests;
