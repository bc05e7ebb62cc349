//! Numbers for pods, as the packet mark carries them.
//!
//! **Invariant:** zero is never given out, and a number comes back only when its pod is detached;
//! then every other free number is used before it, so that a late packet does not name the wrong
//! pod.
//! **Invariant:** a number that an earlier process gave is given to nobody else while it is kept.

use std::collections::BTreeSet;

use waypoint_common::redirect::PROBE_SLOT;

/// The numbers in use.
#[derive(Debug, Default)]
pub(super) struct Slots {
    used: BTreeSet<u16>,
    last: u16,
}

impl Slots {
    /// A free number, if there is one.
    pub(super) fn take(&mut self) -> Option<u16> {
        let after = (self.last..LARGEST).map(|slot| slot + 1);
        let slot = after.chain(1..=self.last).find(|slot| !self.used.contains(slot))?;
        self.used.insert(slot);
        self.last = slot;
        Some(slot)
    }

    /// Keeps a number that an earlier process gave.
    pub(super) fn adopt(&mut self, slot: u16) {
        if (1..=LARGEST).contains(&slot) {
            self.used.insert(slot);
            self.last = self.last.max(slot);
        }
    }

    /// Gives a number back.
    pub(super) fn give_back(&mut self, slot: u16) {
        self.used.remove(&slot);
    }
}

/// The last number; the one after it is the self-probe's.
const LARGEST: u16 = PROBE_SLOT - 1;

#[cfg(test)]
mod tests;
