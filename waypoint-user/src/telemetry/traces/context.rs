//! Which trace a request belongs to, and what of that the next hop is told.
//!
//! **Invariant:** whatever a request carries, exactly one context leaves with it, in every format
//! that it came with and as `traceparent`.
//! **Invariant:** no id is zero.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{
    b3::{self, Widths},
    rate::Rate,
    w3c,
};

/// The place of a request in a trace: this hop's own span, and what it follows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Context {
    /// The trace.
    pub trace: u128,
    /// This hop's span, which is the parent of the next one's.
    pub span: u64,
    /// The span before, if there was one.
    pub parent: Option<u64>,
    /// Whether spans of the trace are kept.
    pub decision: Decision,
    /// How wide B3 wrote the trace.
    pub(super) widths: Widths,
    /// Whether who began the trace says that its number was drawn by chance (W3C Trace Context,
    /// level 2).
    pub(super) random: bool,
}

/// Whether the spans of a trace are kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Decision {
    /// They are not.
    Drop,
    /// They are.
    Keep,
    /// They are, and nobody on the way may think otherwise (B3 only).
    Debug,
}

impl Decision {
    /// Whether spans are kept.
    pub fn is_kept(self) -> bool {
        self != Self::Drop
    }

    /// The decision of a plain yes or no.
    pub(super) fn of(kept: bool) -> Self {
        if kept { Self::Keep } else { Self::Drop }
    }
}

/// What a request says of its trace.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Received {
    /// The trace and the span before.
    pub(super) ids: Option<(u128, u64)>,
    /// Whether spans are kept, where that is said.
    pub(super) decision: Option<Decision>,
    /// How wide B3 wrote the trace.
    pub(super) widths: Widths,
    /// Whether the trace was drawn by chance.
    pub(super) random: bool,
}

impl Context {
    /// The context of this hop: continued from what a request carries, else begun. `random` draws
    /// ids.
    pub(super) fn of(headers: &HeaderMap, rate: Rate, mut random: impl FnMut() -> u128) -> Self {
        let received = received(headers);
        let (trace, parent) = match received.ids {
            Some((trace, parent)) => (trace, Some(parent)),
            None => (random().max(1), None),
        };
        let by_chance = || Decision::of(rate.takes(trace));
        Self {
            trace,
            span: low_half(random()).max(1),
            parent,
            decision: received.decision.unwrap_or_else(by_chance),
            widths: received.widths,
            random: received.random,
        }
    }

    /// Writes it into the fields of the request that leaves.
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        if headers.contains_key(&w3c::STATE) {
            let state = if self.continues_w3c(headers) { w3c::state(headers) } else { None };
            match state {
                Some(state) => drop(headers.insert(&w3c::STATE, state)),
                None => drop(headers.remove(&w3c::STATE)),
            }
        }
        insert(headers, &w3c::PARENT, &w3c::write(self));
        b3::write(self, headers);
    }

    /// Whether it follows what `traceparent` says, so that `tracestate` belongs to it.
    fn continues_w3c(&self, headers: &HeaderMap) -> bool {
        let parent = only(headers, &w3c::PARENT).and_then(w3c::parse);
        parent.is_some_and(|parent| parent.ids == self.parent.map(|span| (self.trace, span)))
    }
}

/// What the first format says that can be understood: `traceparent`, `b3`, `x-b3-…`.
fn received(headers: &HeaderMap) -> Received {
    let w3c = only(headers, &w3c::PARENT).and_then(w3c::parse);
    let single = || only(headers, &b3::SINGLE).and_then(b3::parse);
    w3c.or_else(single).or_else(|| b3::parse_fields(headers)).unwrap_or_default()
}

/// The value of a field that is there once.
pub(super) fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() { None } else { value.to_str().ok() }
}

/// Sets a field to what was written here, which has hexadecimal digits and dashes only.
pub(super) fn insert(headers: &mut HeaderMap, name: &HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}

/// The lower half of a number.
pub(super) fn low_half(number: u128) -> u64 {
    u64::try_from(number & u128::from(u64::MAX)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
