//! Running other programs, in the open: every command is printed before it runs.
//!
//! It knows how to start a program and how to say what happened, not which programs there are.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, Result, bail};

/// The workspace's folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("/"))
}

/// The build folder of ordinary cargo commands.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The cargo that runs this very command, in the workspace's folder.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    command(cargo, arguments)
}

/// A program with its arguments, in the workspace's folder.
pub(crate) fn command(program: impl Into<OsString>, arguments: &[&str]) -> Command {
    let mut command = Command::new(program.into());
    command.args(arguments).current_dir(root());
    command
}

/// Says what is being done.
pub(crate) fn say(what: &str) {
    eprintln!("\n==> {what}");
}

/// Prints the command, runs it, and turns anything but success into an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = status(command)?;
    if !status.success() {
        bail!("`{}` ended with {status}", shown(command));
    }
    Ok(())
}

/// Prints the command, runs it, and reports how it ended.
pub(crate) fn status(command: &mut Command) -> Result<ExitStatus> {
    eprintln!("  $ {}", shown(command));
    command.status().with_context(|| format!("`{}` does not start", shown(command)))
}

/// The trimmed standard output of a command that succeeds silently; `None` otherwise.
pub(crate) fn ask(command: &mut Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// Where a program is on the search path.
pub(crate) fn which(program: &str) -> Option<PathBuf> {
    search_path().map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// Every place on the search path where a program is.
pub(crate) fn which_all(program: &str) -> Vec<PathBuf> {
    search_path().map(|folder| folder.join(program)).filter(|path| path.is_file()).collect()
}

/// The search path with the places that hold system tools and tools made by cargo.
pub(crate) fn search_path() -> impl Iterator<Item = PathBuf> {
    let given = std::env::var_os("PATH").unwrap_or_default();
    let given: Vec<PathBuf> = std::env::split_paths(&given).collect();
    let more = ["/usr/sbin", "/sbin", "/usr/bin"].map(PathBuf::from);
    given.into_iter().chain([cargo_home().join("bin")]).chain(more)
}

/// True for root.
pub(crate) fn is_root() -> bool {
    ask(Command::new("id").arg("-u")).as_deref() == Some("0")
}

/// A path under the user's home.
pub(crate) fn home(folder: &str) -> PathBuf {
    PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| OsString::from("/root"))).join(folder)
}

fn cargo_home() -> PathBuf {
    std::env::var_os("CARGO_HOME").map_or_else(|| home(".cargo"), PathBuf::from)
}

/// The command as a person would type it, with the variables it was given.
fn shown(command: &Command) -> String {
    let variables = command.get_envs().filter_map(|(name, value)| {
        value.map(|value| format!("{}={}", name.display(), quoted(&value.to_string_lossy())))
    });
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let arguments = command.get_args().map(|argument| quoted(&argument.to_string_lossy()));
    variables
        .filter(|text| !text.starts_with("PATH="))
        .chain([program.to_string_lossy().into_owned()])
        .chain(arguments)
        .collect::<Vec<_>>()
        .join(" ")
}

fn quoted(text: &str) -> String {
    if text.contains([' ', '|', '*', ';']) { format!("'{text}'") } else { text.to_owned() }
}
