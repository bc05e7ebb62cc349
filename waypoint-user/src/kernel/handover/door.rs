//! The holder's side: who knocks, and what is answered.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use tokio::{
    net::{UnixListener, UnixStream},
    sync::mpsc,
    task::JoinHandle,
};

use super::{
    super::{Error, lock::Lock},
    ANSWER_PATIENCE, Count, Hello, Message, Process, SILENCE_MAX, path, remove,
    wire::Wire,
};
use crate::telemetry::task;

/// The socket at which a successor asks.
#[derive(Debug)]
pub(in super::super) struct Door {
    path: PathBuf,
    requests: mpsc::Receiver<Request>,
    accepting: JoinHandle<()>,
    /// Whether the socket's file goes with it.
    is_ours: bool,
}

impl Door {
    /// Opens the door of a run directory, whose lock this process holds.
    pub(in super::super) fn open(run_dir: &Path, own: Hello, count: Count) -> Result<Self, Error> {
        let path = path(run_dir);
        // Only the holder of the lock has a door: what is there, nobody answers at any more.
        remove(&path).map_err(Error::file(&path))?;
        let listener = UnixListener::bind(&path).map_err(Error::file(&path))?;
        let mode = fs::Permissions::from_mode(SOCKET_MODE);
        fs::set_permissions(&path, mode).map_err(Error::file(&path))?;
        let (sender, requests) = mpsc::channel(1);
        let accepting = task::spawn("hand-over", accept(listener, own, count, sender));
        Ok(Self { path, requests, accepting, is_ours: true })
    }

    /// The next successor that can take over.
    pub(in super::super) async fn next(&mut self) -> Request {
        match self.requests.recv().await {
            Some(request) => request,
            // Accepting ended, which was logged.
            None => std::future::pending().await,
        }
    }

    /// Leaves the socket's place to the next holder's.
    pub(in super::super) fn leave(&mut self) {
        self.is_ours = false;
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.accepting.abort();
        if self.is_ours
            && let Err(cause) = remove(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %cause, "the socket stays");
        }
    }
}

/// Hears one successor after the other, and refuses those who cannot take over.
async fn accept(listener: UnixListener, own: Hello, count: Count, requests: mpsc::Sender<Request>) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(cause) => {
                tracing::warn!(%cause, "a successor could not be heard");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        match hear(stream, &own).await {
            Ok(request) => {
                if requests.send(request).await.is_err() {
                    return;
                }
            }
            Err(cause) => {
                count.refused.count();
                tracing::warn!(%cause, "the data path is not handed over");
            }
        }
    }
}

/// Hears who a successor is, and refuses it unless it can take over.
async fn hear(stream: UnixStream, own: &Hello) -> io::Result<Request> {
    if stream.peer_cred()?.uid() != ROOT {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let mut wire = Wire::new(stream);
    let outcome = match wire.hear(ANSWER_PATIENCE).await {
        Ok((Message::Hello(hello), _)) => own.admits(&hello).map(|()| hello.process),
        Ok(_) => Err("this is no hello".to_owned()),
        Err(cause) => Err(format!("this is no hello: {cause}")),
    };
    match outcome {
        Ok(successor) => Ok(Request { wire, own: own.process.clone(), successor }),
        Err(why) => {
            // Whoever is gone needs no answer.
            let _ = wire.say(&Message::Refused { why: why.clone() }).await;
            Err(io::Error::other(why))
        }
    }
}

/// A successor that can take over, and waits for an answer.
#[derive(Debug)]
pub(in super::super) struct Request {
    wire: Wire,
    own: Process,
    successor: Process,
}

impl Request {
    /// Lets the successor begin. From here on this process changes nothing in the kernel.
    pub(in super::super) async fn grant(self, lock: &Lock) -> io::Result<Granted> {
        let Self { wire, own, successor: Process { pid, version } } = self;
        tracing::info!(pid, version, "handing the data path over");
        wire.say_with(&Message::Granted(own), Some(lock.share())).await?;
        Ok(Granted { wire, pid })
    }
}

/// A successor that is beginning.
#[derive(Debug)]
pub(in super::super) struct Granted {
    wire: Wire,
    pid: u32,
}

impl Granted {
    /// Waits until it is in force; takes everything back when it ends, or is silent for too long.
    pub(in super::super) async fn in_force(mut self) -> io::Result<Successor> {
        match self.wire.hear(SILENCE_MAX).await {
            Ok((Message::InForce, _)) => Ok(Successor { wire: self.wire, pid: self.pid }),
            outcome => {
                // It may be gone.
                let _ = self.wire.say(&Message::TakenBack).await;
                let unexpected = || io::Error::other("the successor said something else");
                Err(outcome.err().unwrap_or_else(unexpected))
            }
        }
    }
}

/// A successor that is in force, and waits for what only one process may have.
#[derive(Debug)]
pub struct Successor {
    wire: Wire,
    pid: u32,
}

impl Successor {
    /// Tells it that this process has stopped all of that.
    pub async fn release(self) {
        let pid = self.pid;
        match self.wire.say(&Message::Released).await {
            Ok(()) => tracing::info!(pid, "the data path is handed over; draining"),
            Err(cause) => tracing::warn!(pid, %cause, "the successor ended; draining"),
        }
    }
}

const ROOT: u32 = 0;
/// Only root may connect.
const SOCKET_MODE: u32 = 0o600;
/// How long accepting rests after an error, such as no more file descriptors.
const ACCEPT_PAUSE: std::time::Duration = std::time::Duration::from_millis(100);
