//! What is wanted of the cluster and not yet so: started in time, tried again after failures.
//!
//! It does not know what the changes are, and compares nothing: whoever offers a change has seen
//! that the object is not so yet.
//!
//! **Invariant:** at most so many writes are under way, and never two of one target.
//! **Invariant:** a change that fails, or that somebody else undoes again and again, is tried ever
//! more slowly, and delays no other.

mod entry;

use std::{collections::BTreeMap, sync::Arc};

use futures_util::{
    StreamExt,
    future::{BoxFuture, FutureExt},
    stream::FuturesUnordered,
};
use tokio::time::Instant;

use super::{
    kind::Target,
    writer::{Change, Error, Outcome, Write},
};
use entry::Entry;

/// A change that is wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// Of what.
    pub target: Target,
    /// Which.
    pub change: Arc<Change>,
}

impl Wanted {
    /// This change of this target.
    pub fn new(target: Target, change: Change) -> Self {
        Self { target, change: Arc::new(change) }
    }
}

/// A write that ended.
#[derive(Debug)]
pub struct Settled {
    /// Of what.
    pub target: Target,
    /// What came of it.
    pub result: Result<Outcome, Error>,
    /// How often the same was written again because somebody undid it, or tried again in vain.
    pub repeats: u32,
}

/// Writes that are wanted, under way, or were made lately.
#[derive(Debug)]
pub struct Desk<W> {
    writer: W,
    in_flight_max: usize,
    entries: BTreeMap<Target, Entry>,
    running: FuturesUnordered<BoxFuture<'static, (Target, Result<Outcome, Error>)>>,
}

impl<W: Write> Desk<W> {
    /// A desk with nothing on it.
    pub fn new(writer: W, in_flight_max: usize) -> Self {
        let (entries, running) = (BTreeMap::new(), FuturesUnordered::new());
        Self { writer, in_flight_max, entries, running }
    }

    /// Takes all that is wanted now, in the place of what was wanted before.
    pub fn offer(&mut self, wanted: impl IntoIterator<Item = Wanted>) {
        let now = Instant::now();
        self.entries.values_mut().for_each(Entry::set_aside);
        for Wanted { target, change } in wanted {
            match self.entries.get_mut(&target) {
                Some(entry) => entry.want(change, now),
                None => drop(self.entries.insert(target, Entry::new(change, now))),
            }
        }
        self.entries.retain(|_, entry| !entry.is_forgotten(now));
    }

    /// Starts what is due, and waits for the next write to end; for ever if nothing is wanted.
    /// May be dropped and called again at any time.
    pub async fn next(&mut self) -> Settled {
        loop {
            let now = Instant::now();
            self.start(now);
            let due = self.entries.values().filter_map(Entry::waits_until).min();
            let room = self.running.len() < self.in_flight_max;
            let alarm = async {
                match due.filter(|_| room) {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                Some((target, result)) = self.running.next() => {
                    return self.settle(target, result);
                }
                () = alarm => {}
            }
        }
    }

    /// Starts what is due, as far as there is room.
    fn start(&mut self, now: Instant) {
        let mut room = self.in_flight_max.saturating_sub(self.running.len());
        for (target, entry) in &mut self.entries {
            if room == 0 {
                return;
            }
            let Some(change) = entry.start(now) else { continue };
            let (write, target) = (self.writer.write(target, change), target.clone());
            self.running.push(async move { (target, write.await) }.boxed());
            room -= 1;
        }
    }

    fn settle(&mut self, target: Target, result: Result<Outcome, Error>) -> Settled {
        let now = Instant::now();
        let repeats = match self.entries.get_mut(&target) {
            Some(entry) => entry.settle(result.is_ok(), now),
            None => 0,
        };
        Settled { target, result, repeats }
    }
}

#[cfg(test)]
mod tests;
