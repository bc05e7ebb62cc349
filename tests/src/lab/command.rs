//! Running the system's own tools, and the product's, to their end.

use std::{
    ffi::OsStr,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};

/// Runs a program and returns what it printed; an error quotes the command and its complaint.
pub fn run<A: AsRef<OsStr>>(program: &str, arguments: &[A]) -> Result<String> {
    run_with_input(program, arguments, "")
}

/// Runs a program that reads `input` from its standard input.
pub fn run_with_input<A: AsRef<OsStr>>(
    program: &str,
    arguments: &[A],
    input: &str,
) -> Result<String> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("start {program}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ends before it has read everything says why on stderr.
        let _ended_early = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output()?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    let words: Vec<_> = arguments.iter().map(|word| word.as_ref().to_string_lossy()).collect();
    let line = words.join(" ");
    ensure!(output.status.success(), "{program} {line}: {}\n{complaint}{input}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a program and returns what it printed on both streams, however it ends.
pub fn output(program: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).output();
    let output = output.with_context(|| format!("start {}", program.display()))?;
    Ok(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

/// A binary of this workspace: in `WAYPOINT_BIN_DIR`, else beside the running executable.
pub fn product(name: &str) -> Result<PathBuf> {
    let directory = match std::env::var_os("WAYPOINT_BIN_DIR") {
        Some(directory) => PathBuf::from(directory),
        None => beside_this_executable()?,
    };
    let path = directory.join(name);
    ensure!(path.is_file(), "{} is missing: run `cargo xtask build`", path.display());
    Ok(path)
}

/// The build directory that the running executable is in.
pub fn target() -> Result<PathBuf> {
    let profile = beside_this_executable()?;
    Ok(profile.parent().context("the executable is in no build directory")?.to_owned())
}

/// The profile's directory; test executables are in its `deps`.
fn beside_this_executable() -> Result<PathBuf> {
    let executable = std::env::current_exe()?;
    let directory = executable.parent().context("the executable has no directory")?;
    let profile = if directory.ends_with("deps") { directory.parent() } else { Some(directory) };
    Ok(profile.map(Path::to_owned).unwrap_or_default())
}
