//! The authority's files: made on first start, read again whenever they change.
//!
//! What each of them is for, [`Material`] says.
//!
//! **Invariant:** files that do not fit together leave in force what was.
//! **Invariant:** a file that is there is never overwritten.

use std::{
    fmt,
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use tokio::{sync::watch, time};
use tokio_util::sync::CancellationToken;

use super::{
    Following,
    material::{self, ALL, Contents, Material, TOKEN_KEY},
};
use crate::{
    identity::{
        files::{self, Followed},
        token::TokenKey,
    },
    telemetry::{metrics::Registry, task},
};

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

/// The key of tokens that is in a directory; it is made if there is none.
pub fn token_key(path: &Path, trust_domain: &str) -> Result<TokenKey, Error> {
    let key = path.join(TOKEN_KEY);
    if !key.exists() {
        let made = TokenKey::generate().map_err(|cause| Error::file(&key, &cause))?;
        put(path, TOKEN_KEY, &made)?;
    }
    let content = files::read(&key).map_err(|cause| Error::file(&key, &cause))?;
    let material = Material::new([(TOKEN_KEY.to_owned(), content)]);
    material.token_key(trust_domain).map_err(|cause| Error::of(path, cause))
}

/// Makes what is not there.
fn make_missing(path: &Path, trust_domain: &str) -> Result<(), Error> {
    std::fs::create_dir_all(path).map_err(|cause| Error::file(path, &cause))?;
    // A directory that is whole may be read-only. What looks broken may be half made.
    if missing(path, trust_domain).is_ok_and(|missing| missing.is_empty()) {
        return Ok(());
    }
    // Of several processes that start at once, one makes everything.
    let lock = path.join(LOCK);
    let locked = File::create(&lock).and_then(|file| file.lock().map(|()| file));
    let _locked = locked.map_err(|cause| Error::file(&lock, &cause))?;
    let missing = missing(path, trust_domain)?;
    for (name, text) in &missing {
        put(path, name, text)?;
    }
    if !missing.is_empty() {
        let names: Vec<&str> = missing.iter().map(|(name, _)| *name).collect();
        tracing::info!(path = %path.display(), ?names, "made files of the authority");
    }
    Ok(())
}

/// What is not there, made anew.
fn missing(path: &Path, trust_domain: &str) -> Result<Vec<(&'static str, String)>, Error> {
    read(path)?.missing(trust_domain).map_err(|cause| Error::of(path, cause))
}

/// Writes a file that is not there.
fn put(path: &Path, name: &str, text: &str) -> Result<(), Error> {
    let file = path.join(name);
    let mode = if name.ends_with(KEY) { KEY_MODE } else { CERTIFICATE_MODE };
    match files::create(&file, text.as_bytes(), mode) {
        // Another process was quicker, and has the same right.
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists && name == TOKEN_KEY => Ok(()),
        outcome => outcome.map_err(|cause| Error::file(&file, &cause)),
    }
}

/// Reads the files that are there.
fn read(path: &Path) -> Result<Material, Error> {
    let mut texts = Vec::new();
    for name in ALL {
        let file = path.join(name);
        match files::read(&file) {
            Ok(content) => texts.push(((*name).to_owned(), content)),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
            Err(cause) => return Err(Error::file(&file, &cause)),
        }
    }
    Ok(Material::new(texts))
}

/// Reads everything, and tries it.
fn load(path: &Path, trust_domain: &str) -> Result<Contents, Error> {
    read(path)?.open(trust_domain).map_err(|cause| Error::of(path, cause))
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
}

impl Error {
    fn file(path: &Path, cause: &dyn fmt::Display) -> Self {
        Self::File { path: path.to_owned(), cause: cause.to_string() }
    }

    fn of(directory: &Path, cause: material::Error) -> Self {
        Self::File { path: directory.join(cause.name), cause: cause.cause }
    }
}

/// Held while files are made.
const LOCK: &str = ".lock";
/// The end of the names of keys.
const KEY: &str = "-key.pem";
/// Keys are their owner's alone.
const KEY_MODE: u32 = 0o600;
const CERTIFICATE_MODE: u32 = 0o644;

#[cfg(test)]
mod tests;
