//! The proxies under test.

use std::{fmt, net::SocketAddr};

use anyhow::Result;

use super::{
    clients::Shape,
    envoy,
    stage::{Backends, Stage},
    work::Work,
};
use crate::{lab::Process, wire::Credentials};

/// A proxy under test.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Subject {
    /// Our waypoint.
    Ours,
    /// Envoy.
    Envoy,
}

/// What a started proxy is reached by.
#[derive(Debug)]
pub(super) struct Running {
    /// The process that is measured.
    pub(super) proxy: Process,
    /// Where it listens.
    pub(super) address: SocketAddr,
    /// Who it is.
    pub(super) identity: String,
    /// Where tunnels lead.
    pub(super) authority: String,
    /// Who the clients are.
    pub(super) client: Credentials,
    /// What the clients do.
    pub(super) shape: Shape,
    /// What it sends requests to.
    pub(super) backends: Backends,
}

impl Subject {
    pub(super) const ALL: &[Self] = &[Self::Envoy];

    /// Starts it for one kind of work.
    pub(super) fn start(self, work: Work, stage: &Stage) -> Result<Running> {
        match self {
            Self::Ours => anyhow::bail!("not yet"),
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
