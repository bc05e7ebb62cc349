//! Which endpoint takes a request.
//!
//! It keeps no state and knows no endpoint: the caller counts what is outstanding and passes in
//! chance.
//!
//! **Invariant:** an index that is returned is below the number of candidates.

/// Of two different candidates picked at random, the one with fewer outstanding requests; `None`
/// when there is no candidate.
///
/// Two choices instead of the best of all: the loads of many proxies that do not know of each other
/// stay even, and no proxy sends its whole burst to the endpoint that was the idlest a moment ago.
///
/// `dice` returns a number below its argument, each with the same chance.
pub fn least_request(
    candidates: usize,
    outstanding: impl Fn(usize) -> u32,
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
    Some(if outstanding(second) < outstanding(first) { second } else { first })
}

/// An index below `bound`, which is not zero.
fn pick(bound: usize, dice: &mut dyn FnMut(u32) -> u32) -> usize {
    let sides = u32::try_from(bound).unwrap_or(u32::MAX);
    usize::try_from(dice(sides)).map_or(0, |index| index.min(bound - 1))
}

#[cfg(test)]
mod tests;
