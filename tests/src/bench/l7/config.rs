//! Equal configurations for everybody: what one is told, all are told, in their own words.
//!
//! Connections to the backend are kept by all, nobody compresses, and logs are off unless the work
//! is dressed.
//!
//! **Invariant:** a configuration is a function of its scene; the golden files under
//! `tests/data/l7` hold what comes out.

pub mod envoy;
pub mod haproxy;
pub mod nginx;
pub mod ours;

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

/// What is spoken without TLS.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 with prior knowledge.
    Http2,
}

/// What requests are told apart by; the last of them matches.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Routes {
    /// Nothing.
    None,
    /// So many prefixes of paths.
    Paths(usize),
    /// So many values of a header.
    Headers(usize),
}

/// What a proxy is to do.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where it sends requests.
    pub backend: SocketAddr,
    /// Its directory.
    pub folder: PathBuf,
    /// The directory of chain.pem, key.pem, root.pem and both.pem, where it speaks mutual TLS.
    pub credentials: Option<PathBuf>,
    /// What is spoken to it, and by it.
    pub protocols: (Protocol, Protocol),
    /// Whether it has a route, a policy and an access log in JSON.
    pub is_dressed: bool,
    /// Its routes.
    pub routes: Routes,
    /// How many rules of authorization it has.
    pub rules: usize,
}

/// A file of a configuration: its name and its text.
pub type File = (&'static str, String);

/// Writes files into a scene's directory.
pub(super) fn write(scene: &Scene, files: &[File]) -> Result<()> {
    fs::create_dir_all(&scene.folder)?;
    for (name, text) in files {
        let path = scene.folder.join(name);
        fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

impl Routes {
    /// The path that the last route is for.
    pub(super) fn path(self) -> String {
        match self {
            Self::Paths(count) => format!("{}/bench", path_of(count.saturating_sub(1))),
            Self::None | Self::Headers(_) => PATH.to_owned(),
        }
    }

    /// The header's value that the last route is for.
    pub(super) fn tenant(self) -> Option<String> {
        match self {
            Self::Headers(count) => Some(tenant_of(count.saturating_sub(1))),
            Self::None | Self::Paths(_) => None,
        }
    }
}

/// The prefix of a route's paths.
fn path_of(route: usize) -> String {
    format!("/r/{route:04}")
}

/// The header's value of a route.
fn tenant_of(route: usize) -> String {
    format!("t-{route:04}")
}

/// The prefix of the paths that a rule allows.
pub(super) fn path_of_rule(rule: usize) -> String {
    format!("/p/{rule:03}")
}

fn file_of(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

/// What is asked for where nothing else tells requests apart.
pub(super) const PATH: &str = "/bench";
