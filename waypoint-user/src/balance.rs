//! Which endpoint takes a request.
//!
//! It knows no endpoint: the caller counts what is outstanding, and passes in time and chance. What
//! is kept from one choice to the next, is the caller's to keep.
//!
//! **Invariant:** an index that is returned is below the number of candidates.

pub mod ejection;
pub mod ewma;
pub mod hash;
pub mod maglev;
pub mod ring;
pub mod round_robin;
pub mod slow_start;
pub mod weights;

/// Of two different candidates picked at random, the one with the smaller load; `None` when there
/// is no candidate.
///
/// Two choices instead of the best of all: the loads of many proxies that do not know of each other
/// stay even, and no proxy sends its whole burst to the endpoint that was the idlest a moment ago.
///
/// `dice` returns a number below its argument, each with the same chance.
pub fn least_request<L: PartialOrd>(
    candidates: usize,
    load: impl Fn(usize) -> L,
    dice: &mut dyn FnMut(u32) -> u32,
) -> Option<usize> {
    let last = candidates.checked_sub(1)?;
    if last == 0 {
        return Some(0);
    }
    let first = pick(candidates, dice);
    let mut second = pick(last, dice);
    if second >= first {
        second += 1;
    }
    Some(if load(second) < load(first) { second } else { first })
}

/// A candidate by chance; `share` is how much of an even part each gets, in thousandths.
pub fn random(
    candidates: usize,
    share: impl Fn(usize) -> u32,
    dice: &mut dyn FnMut(u32) -> u32,
) -> Option<usize> {
    candidates.checked_sub(1)?;
    // A candidate that is picked takes its part of the requests that it gets so; the others are
    // drawn again, a bounded number of times.
    let mut picked = 0;
    for _ in 0..DRAWS_MAX {
        picked = pick(candidates, dice);
        let share = share(picked);
        if share >= FULL || dice(FULL) < share {
            break;
        }
    }
    Some(picked)
}

/// Whether so few of the endpoints are left that all of them get requests, whatever they answer.
pub fn is_panic(left: usize, all: usize, threshold: u8) -> bool {
    left * 100 < all * usize::from(threshold)
}

/// An index below `bound`, which is not zero.
fn pick(bound: usize, dice: &mut dyn FnMut(u32) -> u32) -> usize {
    let sides = u32::try_from(bound).unwrap_or(u32::MAX);
    usize::try_from(dice(sides)).map_or(0, |index| index.min(bound - 1))
}

/// The share of an endpoint that is not new, in thousandths.
pub const FULL: u32 = 1000;
/// How often a candidate is drawn; then the last one is taken, whatever its share.
const DRAWS_MAX: usize = 16;

#[cfg(test)]
mod tests;
