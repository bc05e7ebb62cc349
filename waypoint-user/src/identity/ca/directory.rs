//! The authority's files: made on first start, read again whenever they change.
//!
//! | file | what |
//! |---|---|
//! | `root-cert.pem` | the roots that peers may chain to; more than one while they rotate |
//! | `root-key.pem` | the root's key; it may be kept elsewhere |
//! | `ca-cert.pem` | the certificate that signs, and what is between it and a root |
//! | `ca-key.pem` | its key |
//! | `additional-roots.pem` | more roots, if it is there |
//! | `token-key.pem` | the key that signs tokens |
//!
//! Roots are rotated in three steps, each at least one lifetime of certificates after the one
//! before, so that every certificate was renewed in between. The files are re-read while we run.
//!
//! 1. Put the new root beside the old one: into `additional-roots.pem`, or `root-cert.pem` itself.
//! 2. Replace `ca-cert.pem` and `ca-key.pem` by an intermediate of the new root. They are taken
//!    when they fit each other, so their order does not matter.
//! 3. Take the old root away: `root-cert.pem` has the new one only.
//!
//! **Invariant:** files that do not fit together leave in force what was.
//! **Invariant:** a file that is there is never overwritten.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use rcgen::KeyPair;
use rustls::pki_types::{CertificateDer, UnixTime};
use tokio::{sync::watch, task::JoinHandle, time};
use tokio_util::sync::CancellationToken;

use super::{Authority, profile};
use crate::{
    identity::{
        certificate,
        files::{self, Followed},
        issuer::FreshKey,
        revocation::Revocations,
        token::TokenKey,
        trust::{Trusts, Usage},
    },
    mesh::spiffe::SpiffeId,
    telemetry::{metrics::Registry, task},
};

/// What is in the directory.
pub struct Contents {
    /// What signs certificates.
    pub authority: Authority,
    /// What signs and checks tokens.
    pub tokens: TokenKey,
}

impl fmt::Debug for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contents").field("authority", &self.authority).finish_non_exhaustive()
    }
}

/// A directory that is followed.
#[derive(Debug)]
pub struct Following {
    /// What is in it.
    pub contents: watch::Receiver<Arc<Contents>>,
    /// Ends after shutdown.
    pub follower: JoinHandle<()>,
}

/// Reads a directory, makes what is not there yet, and follows it until shutdown.
pub fn follow(
    path: &Path,
    trust_domain: &str,
    shutdown: CancellationToken,
) -> Result<Following, Error> {
    make_missing(path, trust_domain)?;
    let followed = Followed::new(ALL.iter().map(|name| path.join(name)).collect());
    let (sender, contents) = watch::channel(Arc::new(load(path, trust_domain)?));
    let (path, trust_domain) = (path.to_owned(), trust_domain.to_owned());
    let follower = task::spawn("ca-files", async move {
        run(&path, &trust_domain, followed, sender, shutdown).await;
    });
    Ok(Following { contents, follower })
}

/// Exports when the authority's own certificate ends.
pub fn register(contents: watch::Receiver<Arc<Contents>>, registry: &Registry) {
    registry.gauge_source(
        "waypoint_ca_expiry_seconds",
        "Seconds until the certificate that signs ends.",
        "which",
        move || {
            let end = contents.borrow().authority.not_after;
            let left = end.duration_since(SystemTime::now()).unwrap_or_default();
            vec![("intermediate".to_owned(), left.as_secs())]
        },
    );
}

/// Reads the directory again whenever it changed.
async fn run(
    path: &Path,
    trust_domain: &str,
    mut followed: Followed,
    sender: watch::Sender<Arc<Contents>>,
    shutdown: CancellationToken,
) {
    let mut ticks = time::interval(files::INTERVAL);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => {}
        }
        if !followed.changed() {
            continue;
        }
        match load(path, trust_domain) {
            Ok(contents) => {
                let roots = contents.authority.roots().len();
                tracing::info!(path = %path.display(), roots, "the authority's files changed");
                sender.send_replace(Arc::new(contents));
            }
            Err(cause) => tracing::warn!(%cause, "the authority stays as it was"),
        }
    }
}

/// Makes what is not there: everything, or an intermediate of the root that is.
fn make_missing(path: &Path, trust_domain: &str) -> Result<(), Error> {
    std::fs::create_dir_all(path).map_err(|cause| Error::file(path, &cause))?;
    let there = |name: &str| path.join(name).exists();
    let put = |name: &str, content: &str, mode| {
        let path = path.join(name);
        let created = files::create(&path, content.as_bytes(), mode);
        created.map_err(|cause| Error::file(&path, &cause))
    };
    let made = |cause: super::Error| Error::Made(cause.to_string());
    let (has_root, has_ca) = (there(ROOT_CERT), there(CA_CERT) && there(CA_KEY));
    if !has_root && !there(ROOT_KEY) && !there(CA_CERT) && !there(CA_KEY) {
        let root = profile::root(trust_domain).map_err(made)?;
        put(ROOT_KEY, &root.key.serialize_pem(), KEY_MODE)?;
        put(ROOT_CERT, &certificate::to_pem(&root.certificate), CERTIFICATE_MODE)?;
        tracing::info!(path = %path.display(), "made a root");
    }
    if !has_ca && there(ROOT_KEY) && !there(CA_CERT) && !there(CA_KEY) {
        let root =
            existing_root(path).map_err(|cause| Error::file(&path.join(ROOT_KEY), &cause))?;
        let intermediate = profile::intermediate(trust_domain, &root).map_err(made)?;
        put(CA_KEY, &intermediate.key.serialize_pem(), KEY_MODE)?;
        put(CA_CERT, &certificate::to_pem(&intermediate.certificate), CERTIFICATE_MODE)?;
        tracing::info!(path = %path.display(), "made an intermediate");
    }
    TokenKey::open(path, trust_domain)?;
    Ok(())
}

/// The root whose key is here.
fn existing_root(path: &Path) -> Result<rcgen::Issuer<'static, KeyPair>, String> {
    let key = read_key(&path.join(ROOT_KEY)).map_err(|cause| cause.to_string())?;
    let roots = read_certificates(&path.join(ROOT_CERT)).map_err(|cause| cause.to_string())?;
    let own = roots.iter().find(|root| certificate::is_of_key(root, &key));
    let own = own.ok_or_else(|| format!("no certificate in {ROOT_CERT} is of this key"))?;
    rcgen::Issuer::from_ca_cert_der(own, key).map_err(|cause| cause.to_string())
}

/// Reads everything, and tries it: a certificate that peers would refuse is never given out.
fn load(path: &Path, trust_domain: &str) -> Result<Contents, Error> {
    let (ca_cert, ca_key) = (path.join(CA_CERT), path.join(CA_KEY));
    let chain = read_certificates(&ca_cert)?;
    let key = read_key(&ca_key)?;
    if !chain.first().is_some_and(|own| certificate::is_of_key(own, &key)) {
        return Err(Error::file(&ca_key, &format!("it is not the key of {CA_CERT}")));
    }
    let mut roots = read_certificates(&path.join(ROOT_CERT))?;
    let more = path.join(MORE_ROOTS);
    if more.exists() {
        roots.extend(read_certificates(&more)?);
    }
    let mut seen = Vec::new();
    roots.retain(|root| {
        !seen.contains(root) && {
            seen.push(root.clone());
            true
        }
    });
    let authority = Authority::new(key, &chain, roots);
    let authority = authority.map_err(|cause| Error::file(&ca_cert, &cause))?;
    prove(&authority, trust_domain).map_err(|cause| Error::file(&ca_cert, &cause))?;
    let tokens = TokenKey::open(path, trust_domain)?;
    Ok(Contents { authority, tokens })
}

/// Signs for nobody, and looks whether a peer would believe it.
fn prove(authority: &Authority, trust_domain: &str) -> Result<(), String> {
    let nobody = Arc::new(SpiffeId::new(trust_domain, "nobody", "nobody"));
    let key = FreshKey::generate().map_err(|cause| cause.to_string())?;
    let issued = authority.issue_to(&key, &nobody, profile::PROBE);
    let issued = issued.map_err(|cause| cause.to_string())?;
    let trust = Trusts::new(Revocations::new().1).of(&issued.roots);
    let trust = trust.map_err(|cause| format!("a root cannot be used: {cause}"))?;
    let now = UnixTime::now();
    for usage in [Usage::Server, Usage::Client] {
        trust.verify(&issued.leaf, &issued.intermediates, usage, now).map_err(|cause| {
            format!("what it signs does not lead to a root of {ROOT_CERT} or {MORE_ROOTS}: {cause}")
        })?;
    }
    Ok(())
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let text = files::read(path).map_err(|cause| Error::file(path, &cause))?;
    certificate::parse_pem(&text).map_err(|cause| Error::file(path, &cause))
}

/// Reads a private key of P-256.
pub(in crate::identity) fn read_key(path: &Path) -> Result<KeyPair, Error> {
    let text = files::read(path).map_err(|cause| Error::file(path, &cause))?;
    let text = String::from_utf8(text).map_err(|_| Error::file(path, &"it is no text"))?;
    KeyPair::from_pem(&text).map_err(|cause| Error::file(path, &format!("no private key: {cause}")))
}

/// Why the directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read, or does not fit the others.
    #[error(
        "certificate authority file {path}: {cause}; mend it, or name another directory with \
         --ca-dir (an empty one gets a new root)"
    )]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// A certificate cannot be made.
    #[error("making the certificate authority: {0}")]
    Made(String),
}

impl Error {
    pub(in crate::identity) fn file(path: &Path, cause: &dyn fmt::Display) -> Self {
        Self::File { path: path.to_owned(), cause: cause.to_string() }
    }
}

impl From<io::Error> for Error {
    fn from(cause: io::Error) -> Self {
        Self::Made(cause.to_string())
    }
}

/// The roots.
pub const ROOT_CERT: &str = "root-cert.pem";
const ROOT_KEY: &str = "root-key.pem";
const CA_CERT: &str = "ca-cert.pem";
const CA_KEY: &str = "ca-key.pem";
const MORE_ROOTS: &str = "additional-roots.pem";
/// The key of tokens.
pub(in crate::identity) const TOKEN_KEY: &str = "token-key.pem";

const ALL: &[&str] = &[ROOT_CERT, CA_CERT, CA_KEY, MORE_ROOTS, TOKEN_KEY];

/// Keys are their owner's alone.
pub(in crate::identity) const KEY_MODE: u32 = 0o600;
const CERTIFICATE_MODE: u32 = 0o644;

#[cfg(test)]
mod tests;
