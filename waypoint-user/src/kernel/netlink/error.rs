//! What can go wrong between us and the kernel's network configuration.

use std::{io, path::PathBuf};

use nix::libc::{ENODEV, ENOENT, ESRCH};

/// A request, a namespace or a setting that was not to be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The socket cannot be opened, written or read.
    #[error("netlink socket: {0}")]
    Socket(#[source] io::Error),
    /// The kernel said no.
    #[error("{what}: {source}")]
    Refused {
        /// What was asked.
        what: String,
        /// Its answer.
        source: io::Error,
    },
    /// The kernel's answer breaks the rules of netlink.
    #[error("{what}: the kernel's answer is malformed")]
    Malformed {
        /// What was asked.
        what: String,
    },
    /// Every listing was interrupted by a change.
    #[error("{what}: the list kept changing while it was read")]
    Restless {
        /// What was asked.
        what: String,
    },
    /// A network namespace's file cannot be opened, made or removed.
    #[error("network namespace {}: {source}", path.display())]
    Netns {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is there, but it is no network namespace.
    #[error("{} is not a network namespace", path.display())]
    NotNetns {
        /// The file.
        path: PathBuf,
    },
    /// The namespace that should be the agent's own is the host's.
    #[error("{} is the host's network namespace, not the agent's own; unmount it", path.display())]
    HostNetns {
        /// Its file.
        path: PathBuf,
    },
    /// No thread can be started in a namespace, or it is not let in.
    #[error("entering network namespace {}: {source}", path.display())]
    Enter {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A setting below `/proc/sys` cannot be read or written.
    #[error(
        "{}: {source}; where /proc/sys cannot be written, `waypointd init` does it before",
        path.display()
    )]
    Sysctl {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A link's name that no link can have.
    #[error("{0:?} cannot name a link: 1 to 15 bytes, without spaces, `/` and `:`")]
    LinkName(String),
    /// The name is another's.
    #[error("link {0} exists and is not this agent's; name another with --link, or delete it")]
    LinkTaken(String),
    /// A link that was there a moment ago has gone.
    #[error("link {0} disappeared while it was set up")]
    LinkGone(String),
    /// The process is shutting down.
    #[error("interrupted by shutdown")]
    Interrupted,
}

impl Error {
    /// Whether the kernel says that there is no such thing.
    pub(in crate::kernel) fn is_absence(&self) -> bool {
        let Self::Refused { source, .. } = self else { return false };
        source.raw_os_error().is_some_and(|code| [ENODEV, ENOENT, ESRCH].contains(&code))
    }
}
