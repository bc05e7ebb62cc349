//! What can go wrong in the data path.

use std::{io, path::PathBuf};

use super::netlink;

/// Why the data path cannot be set up or kept.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process has the run directory.
    #[error(
        "{} is in use by process {holder}; stop it, or give this one another --run-dir, \
         --pin-dir and --link",
        path.display()
    )]
    Busy {
        /// The lock file.
        path: PathBuf,
        /// What the holder wrote into it.
        holder: String,
    },
    /// The process that has the run directory does not hand it over.
    #[error("{why}")]
    Refused {
        /// What it says.
        why: String,
    },
    /// The process that has the run directory said nothing that makes sense.
    #[error("asking the running process to hand over: {cause}; stop it, then start this one")]
    Unanswered {
        /// What happened.
        cause: io::Error,
    },
    /// The process that has the run directory waited long enough.
    #[error("process {pid} took the data path back, as this one was not in force in time")]
    TakenBack {
        /// The process.
        pid: u32,
    },
    /// The self-probe fails, and there is a process for which it did not.
    #[error("the data path cannot be proven, so it stays with the running process: {cause}")]
    Unproven {
        /// Why.
        cause: String,
    },
    /// A file or directory of the data path cannot be made, read or removed.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no bpffs and none can be mounted.
    #[error("mounting a bpffs on {}: {source}", path.display())]
    Mount {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The eBPF object is not what this build expects.
    #[error("the eBPF object has no {0}; build it again with `cargo xtask build-ebpf`")]
    Object(&'static str),
    /// The kernel refuses the eBPF object.
    #[error("loading the eBPF programs: {0}")]
    Load(#[from] aya::EbpfError),
    /// The kernel refuses a program.
    #[error("program {name}: {source}")]
    Program {
        /// Its name.
        name: String,
        /// Why.
        source: aya::programs::ProgramError,
    },
    /// The kernel refuses a link of a program.
    #[error("link {}: {source}", path.display())]
    Link {
        /// Its pin.
        path: PathBuf,
        /// Why.
        source: aya::programs::links::LinkError,
    },
    /// Something cannot be pinned.
    #[error("pinning {}: {source}", path.display())]
    Pin {
        /// Where.
        path: PathBuf,
        /// Why.
        source: aya::pin::PinError,
    },
    /// A map cannot be opened or changed.
    #[error("map {name}: {source}")]
    Map {
        /// Its name.
        name: &'static str,
        /// Why.
        source: aya::maps::MapError,
    },
    /// A map has no room for what it should hold.
    #[error("map {name} is full: {missing} entries do not fit")]
    Full {
        /// Its name.
        name: &'static str,
        /// How many entries are missing.
        missing: usize,
    },
    /// A listening socket cannot be made.
    #[error("listening on {address} in the agent's network namespace: {source}")]
    Listen {
        /// Where.
        address: std::net::SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// There is no cgroup of version 2.
    #[error(
        "{} is no cgroup of version 2, nor is there one below it; name one with --cgroup, or \
         mount it there",
        .0.display()
    )]
    NotVersion2(PathBuf),
    /// The host's network cannot be read or set up.
    #[error(transparent)]
    Network(#[from] netlink::Error),
    /// The data path does not pass a connection from end to end.
    #[error("the self-probe of {family}: {cause}")]
    Probe {
        /// IPv4 or IPv6.
        family: &'static str,
        /// What happened instead.
        cause: String,
    },
    /// A blocking task ended without a result.
    #[error("interrupted by shutdown")]
    Interrupted,
}

impl Error {
    /// An error about a file, for `map_err`.
    pub(super) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    /// An error about a program, for `map_err`.
    pub(super) fn program(name: &str) -> impl Fn(aya::programs::ProgramError) -> Self {
        let name = name.to_owned();
        move |source| Self::Program { name: name.clone(), source }
    }

    /// An error about a map, for `map_err`.
    pub(super) fn map<E: Into<aya::maps::MapError>>(name: &'static str) -> impl Fn(E) -> Self {
        move |source| Self::Map { name, source: source.into() }
    }
}
