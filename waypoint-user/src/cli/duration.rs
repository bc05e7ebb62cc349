//! Durations as Go and Kubernetes write them: `90s`, `1m30s`, `500ms`.

use std::time::Duration;

/// Parses a duration; a number without unit counts as seconds.
pub(super) fn parse(text: &str) -> Result<Duration, Invalid> {
    let invalid = || Invalid(text.to_owned());
    if let Ok(seconds) = text.parse() {
        return Ok(Duration::from_secs(seconds));
    }
    let (mut rest, mut sum) = (text, Duration::ZERO);
    while !rest.is_empty() {
        let digits = rest.find(|one: char| !one.is_ascii_digit()).ok_or_else(invalid)?;
        let (number, after) = rest.split_at(digits);
        let number: u64 = number.parse().map_err(|_| invalid())?;
        let (unit, after) = UNITS
            .iter()
            .find_map(|(unit, ms)| after.strip_prefix(unit).map(|after| (*ms, after)))
            .ok_or_else(invalid)?;
        let part = number.checked_mul(unit).map(Duration::from_millis);
        sum = part.and_then(|part| sum.checked_add(part)).ok_or_else(invalid)?;
        rest = after;
    }
    if text.is_empty() { Err(invalid()) } else { Ok(sum) }
}

/// A text that is no duration.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no duration; write 90s or 1m30s")]
pub(super) struct Invalid(String);

/// Units, those first that begin as others do, in milliseconds.
const UNITS: [(&str, u64); 4] = [("ms", 1), ("h", 3_600_000), ("m", 60_000), ("s", 1000)];

#[cfg(test)]
mod tests;
