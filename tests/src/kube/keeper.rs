//! A thread that starts processes on behalf of others.
//!
//! The kernel kills such a process when the *thread* that started it ends, and a test's thread ends
//! with the test; this one ends with the program.

use std::{
    io,
    process::{Child, Command},
    sync::{
        OnceLock,
        mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    },
    thread,
};

use anyhow::{Context, Result};

struct Errand {
    command: Command,
    answer: SyncSender<io::Result<Child>>,
}

/// Starts a command, which ought to begin with [`MORTAL`].
pub(crate) fn spawn(command: Command) -> Result<Child> {
    static KEEPER: OnceLock<Sender<Errand>> = OnceLock::new();
    let name = command.get_program().to_string_lossy().into_owned();
    let (answer, child) = sync_channel(1);
    KEEPER.get_or_init(keep).send(Errand { command, answer }).context("the keeper is gone")?;
    child.recv().context("the keeper is gone")?.with_context(|| format!("start {name}"))
}

fn keep() -> Sender<Errand> {
    let (sender, errands): (_, Receiver<Errand>) = channel();
    thread::spawn(move || {
        for Errand { mut command, answer } in errands {
            // Who asked may have gone meanwhile; then the child is dropped, and runs until the end.
            let _gone = answer.send(command.spawn());
        }
    });
    sender
}

/// The program, and its first arguments, that makes the one after them die with the keeper.
pub(crate) const MORTAL: (&str, &[&str]) = ("setpriv", &["--pdeathsig", "KILL"]);
