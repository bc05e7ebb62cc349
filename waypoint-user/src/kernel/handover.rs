//! How the data path passes from one process to the next without a gap.
//!
//! The process that holds the data path has a door, a unix socket in the run directory, at which
//! the next one asks for it:
//!
//! ```text
//!  successor            holder
//!  hello       ──────▶  are we of one kind? else refused, and nothing has happened
//!              ◀──────  granted, with the lock: the holder's loop rests, its engine goes on
//!  programs, maps, listeners, self-probe
//!  in force    ──────▶  stops what only one process may do
//!              ◀──────  released: it drains what it has, and ends
//! ```
//!
//! It says and hears lines of JSON, and touches nothing in the kernel.
//!
//! **Invariant:** between `granted` and `in force` the holder can go on as if nothing had been; it
//! does so when the successor ends, or says nothing for [`SILENCE_MAX`].
//! **Invariant:** only root is heard, a line has a bounded length, and each wait has an end.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use waypoint_common::ABI;

use super::Settings;

pub(super) use self::{
    count::Count,
    door::{Door, Request},
    predecessor::Predecessor,
};
pub use door::Successor;

mod count;
mod door;
mod predecessor;
mod wire;

/// What is said.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "say", rename_all = "snake_case")]
enum Message {
    /// The successor asks.
    Hello(Hello),
    /// The holder rests; the lock comes with it.
    Granted(Process),
    /// The holder goes on, and says why.
    Refused {
        /// Why.
        why: String,
    },
    /// The successor serves all that is new.
    InForce,
    /// The holder has stopped all that only one process may do.
    Released,
    /// The holder goes on, because it has waited long enough.
    TakenBack,
}

/// Who speaks.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Process {
    /// Its id.
    pid: u32,
    /// What it is a build of.
    version: String,
}

/// Who asks, and for which data path.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Hello {
    /// Of the messages.
    format: u32,
    #[serde(flatten)]
    process: Process,
    abi: u32,
    node: Option<String>,
    pin_dir: PathBuf,
    link: String,
    inbound: bool,
}

impl Hello {
    /// This process.
    pub(super) fn of(settings: &Settings) -> Self {
        Self {
            format: FORMAT,
            process: Process {
                pid: std::process::id(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            },
            abi: ABI,
            node: settings.node.clone(),
            pin_dir: settings.pin_dir.clone(),
            link: settings.link.clone(),
            inbound: settings.inbound,
        }
    }

    /// Whether a successor can take over all that this process has; else what to tell it.
    fn admits(&self, successor: &Self) -> Result<(), String> {
        let name = |node: &Option<String>| node.clone().unwrap_or_else(|| "no name".to_owned());
        let path = |path: &Path| path.display().to_string();
        let number = |number: u32| number.to_string();
        let compared = [
            ("hand-over format", number(self.format), number(successor.format)),
            ("data path ABI", number(self.abi), number(successor.abi)),
            ("node", name(&self.node), name(&successor.node)),
            ("pin directory", path(&self.pin_dir), path(&successor.pin_dir)),
            ("link", self.link.clone(), successor.link.clone()),
            ("capture of tunnels", self.inbound.to_string(), successor.inbound.to_string()),
        ];
        let different = compared.into_iter().find(|(_, own, other)| own != other);
        let Some((what, own, other)) = different else { return Ok(()) };
        let Process { pid, version } = &self.process;
        Err(format!(
            "waypointd {version} (pid {pid}) has {what} {own}, this one has {other}: stop it \
             first; its connections drain, then start this one"
        ))
    }
}

/// The socket of a run directory's door.
pub(super) fn path(run_dir: &Path) -> PathBuf {
    run_dir.join("handover.sock")
}

/// Removes a socket's file, if it is there.
pub(super) fn remove(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(cause) => Err(cause),
    }
}

/// Of the messages.
const FORMAT: u32 = 1;
/// How long the holder rests for a successor that is not in force yet.
pub(super) const SILENCE_MAX: Duration = Duration::from_mins(1);
/// How long either side waits for a line that takes the other no work.
const ANSWER_PATIENCE: Duration = Duration::from_secs(10);
/// Longest line.
const LINE_BYTES_MAX: usize = 4096;

#[cfg(test)]
mod tests;
