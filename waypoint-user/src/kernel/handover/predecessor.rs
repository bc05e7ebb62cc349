//! The successor's side: asking the holder of the data path for it.

use std::{io, path::Path};

use tokio::net::UnixStream;

use super::{
    super::{Error, lock::Lock},
    ANSWER_PATIENCE, Hello, Message, Process, path,
    wire::Wire,
};

/// The process that held the data path until now, and goes on if this one ends.
#[derive(Debug)]
pub(in super::super) struct Predecessor {
    wire: Wire,
    pid: u32,
}

impl Predecessor {
    /// Asks the holder to hand over, and shares its lock then; nothing if nobody answers.
    pub(in super::super) async fn ask(
        run_dir: &Path,
        hello: Hello,
    ) -> Result<Option<(Self, Lock)>, Error> {
        let Ok(stream) = UnixStream::connect(path(run_dir)).await else { return Ok(None) };
        let mut wire = Wire::new(stream);
        let unanswered = |cause: io::Error| Error::Unanswered { cause };
        wire.say(&Message::Hello(hello)).await.map_err(unanswered)?;
        match wire.hear(ANSWER_PATIENCE).await.map_err(unanswered)? {
            (Message::Granted(Process { pid, version }), Some(lock)) => {
                tracing::info!(pid, version, "taking the data path over");
                Ok(Some((Self { wire, pid }, Lock::shared(lock))))
            }
            (Message::Refused { why }, _) => Err(Error::Refused { why }),
            _ => Err(unanswered(io::ErrorKind::InvalidData.into())),
        }
    }

    /// Makes sure, before anything is put in the predecessor's place, that it has not gone on.
    pub(in super::super) async fn still_rests(&mut self) -> Result<(), Error> {
        if !self.wire.has_more() {
            return Ok(());
        }
        match self.wire.hear(ANSWER_PATIENCE).await {
            Ok(_) => Err(Error::TakenBack { pid: self.pid }),
            // If it died, there is all the more reason.
            Err(_) => Ok(()),
        }
    }

    /// Tells it that this process is in force, and waits until it has stopped what only one process
    /// may do. One that died or hangs is not waited for.
    pub(in super::super) async fn take_over(mut self) -> Result<(), Error> {
        let pid = self.pid;
        // If it cannot be told, the answer says why.
        let _ = self.wire.say(&Message::InForce).await;
        match self.wire.hear(ANSWER_PATIENCE).await {
            Ok((Message::Released, _)) => tracing::info!(pid, "the data path is taken over"),
            Ok(_) => return Err(Error::TakenBack { pid }),
            Err(cause) => tracing::warn!(pid, %cause, "the predecessor is gone or hangs"),
        }
        Ok(())
    }
}
