//! Whether a server has a kind, as far as it said so.
//!
//! It asks nobody.
//!
//! **Invariant:** policies do not vanish because of one wrong answer.

/// Whether the server has a kind.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Presence {
    /// Nobody asked yet.
    Unknown,
    /// It has.
    Served,
    /// It had, and has said so many times now that it has not.
    Vanishing(u32),
    /// It has not.
    Absent,
}

impl Presence {
    /// After the server said that it does not have it.
    pub(super) fn denied(self) -> Self {
        match self {
            Self::Served => Self::Vanishing(1),
            Self::Vanishing(times) if times < VANISHED => Self::Vanishing(times + 1),
            Self::Vanishing(_) | Self::Unknown | Self::Absent => Self::Absent,
        }
    }
}

/// So many times in a row must a server say that a kind is gone.
const VANISHED: u32 = 4;

#[cfg(test)]
mod tests;
