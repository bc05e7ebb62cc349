//! What was written, and what came of it.
//!
//! It writes nothing. Between a write and the moment at which the source shows it, an object still
//! says what it said; without a memory it would be written again.
//!
//! **Invariant:** what another controller overwrites is written again [`OVERWRITTEN_MAX`] times and
//! not more, until there is something else to say.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use tokio::time::Instant;

use crate::mesh::object::ObjectRef;

use super::{entry::Entry, wanted::Wanted, write::Outcome};

/// What was written, by object.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    records: HashMap<ObjectRef, Record>,
}

#[derive(Debug)]
struct Record {
    uid: Option<String>,
    /// What it was to say.
    entries: Vec<Entry>,
    /// What it said when that was decided.
    seen: Vec<Entry>,
    stage: Stage,
    /// How often it said something else again afterwards.
    overwritten: u32,
    failures: u32,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    /// It is being written.
    UnderWay,
    /// It was, and the source does not show it yet.
    Written,
    /// The source shows it.
    Shown,
    /// It was not; the next try is then.
    Failed(Instant),
    /// It is left to whoever overwrites it.
    Left,
}

/// When to write.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Due {
    /// At once.
    Now,
    /// Then, if it is wanted still.
    At(Instant),
    /// Not any more, from now on.
    Contested,
    /// There is nothing to write, or it was just written.
    Never,
}

impl Ledger {
    /// When what is wanted is to be written.
    pub(super) fn due(&mut self, wanted: &Wanted, now: Instant) -> Due {
        let same =
            |record: &&mut Record| record.uid == wanted.uid && record.entries == wanted.entries;
        let record = self.records.get_mut(&wanted.object).filter(same);
        match (wanted.differs(), record) {
            (false, None) => Due::Never,
            (false, Some(record)) => {
                if record.stage != Stage::UnderWay {
                    record.stage = Stage::Shown;
                }
                Due::Never
            }
            (true, None) => {
                let under_way = self.records.get(&wanted.object).map(|record| record.stage);
                // The former write ends first, and then this is looked at again.
                if under_way == Some(Stage::UnderWay) { Due::At(now + RETRY_MIN) } else { Due::Now }
            }
            (true, Some(record)) => record.due(wanted, now),
        }
    }

    /// Says that it is being written.
    pub(super) fn started(&mut self, wanted: &Wanted) {
        let before = self.records.remove(&wanted.object);
        let before = before.filter(|one| one.entries == wanted.entries && one.uid == wanted.uid);
        let record = Record {
            uid: wanted.uid.clone(),
            entries: wanted.entries.clone(),
            seen: wanted.current.clone(),
            stage: Stage::UnderWay,
            overwritten: before.as_ref().map(|one| one.overwritten).unwrap_or_default(),
            failures: before.as_ref().map(|one| one.failures).unwrap_or_default(),
        };
        self.records.insert(wanted.object.clone(), record);
    }

    /// Says what came of it, and hears when it is to be tried again.
    pub(super) fn finished(
        &mut self,
        object: &ObjectRef,
        outcome: Outcome,
        now: Instant,
    ) -> Option<Instant> {
        let record = self.records.get_mut(object)?;
        match outcome {
            Outcome::Written | Outcome::Gone => {
                record.stage = Stage::Written;
                record.failures = 0;
                None
            }
            Outcome::Failed => {
                record.failures = record.failures.saturating_add(1);
                let wait = RETRY_MIN * 2_u32.saturating_pow(record.failures.min(RETRY_DOUBLINGS));
                record.stage = Stage::Failed(now + wait);
                Some(now + wait)
            }
        }
    }

    /// Forgets objects that are gone.
    pub(super) fn retain(&mut self, known: &HashSet<ObjectRef>) {
        self.records
            .retain(|object, record| known.contains(object) || record.stage == Stage::UnderWay);
    }
}

impl Record {
    /// When what was to be said before, and is not what the object says, is to be written again.
    fn due(&mut self, wanted: &Wanted, now: Instant) -> Due {
        match self.stage {
            Stage::UnderWay | Stage::Left => Due::Never,
            Stage::Failed(time) if time > now => Due::At(time),
            Stage::Failed(_) => Due::Now,
            Stage::Written if self.seen == wanted.current => Due::Never,
            Stage::Written | Stage::Shown => {
                self.overwritten += 1;
                if self.overwritten > OVERWRITTEN_MAX {
                    self.stage = Stage::Left;
                    return Due::Contested;
                }
                Due::Now
            }
        }
    }
}

/// How often something that another controller overwrites is written again.
const OVERWRITTEN_MAX: u32 = 3;
/// How long after a failure the next try is, at first.
const RETRY_MIN: Duration = Duration::from_millis(250);
/// How often that time is doubled: to about four minutes.
const RETRY_DOUBLINGS: u32 = 10;

#[cfg(test)]
mod tests;
