//! The proxies under test.

use std::fmt;

use anyhow::Result;

use super::{
    ca::Ca,
    envoy, ours,
    stage::{Backends, Stage},
    target::Target,
    work::Work,
};
use crate::lab::{Daemon, Process};

/// A proxy under test.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Subject {
    /// Our waypoint.
    Ours,
    /// Envoy.
    Envoy,
}

/// A started proxy, until it is ended.
#[derive(Debug)]
pub(super) struct Running {
    /// What clients are told.
    pub(super) target: Target,
    /// The process that is measured.
    pub(super) process: u32,
    /// What it sends requests to.
    pub(super) backends: Backends,
    /// What runs as long as this value is there.
    pub(super) _alive: Alive,
}

/// What was started.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
pub(super) enum Alive {
    /// Envoy.
    Envoy {
        /// Its process.
        _proxy: Process,
    },
    /// Our processes.
    Ours {
        /// The waypoint.
        _proxy: Daemon,
        /// The certificate authority.
        _ca: Ca,
    },
}

impl Subject {
    pub(super) const ALL: &[Self] = &[Self::Ours, Self::Envoy];

    /// Starts it for one kind of work.
    pub(super) fn start(self, work: Work, stage: &Stage) -> Result<Running> {
        match self {
            Self::Ours => ours::start(work, stage),
            Self::Envoy => envoy::start(work, stage),
        }
    }
}

impl Running {
    /// Ends it and its backends, so that their addresses are free again.
    pub(super) fn end(mut self, stage: &Stage) -> Result<()> {
        stage.run(async {
            self.backends.shutdown().await;
            Ok(())
        })
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Ours => "ours",
            Self::Envoy => "Envoy",
        })
    }
}
