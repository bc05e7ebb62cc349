//! Durations as the Gateway API writes them (GEP-2257): `1h30m`, `10s`, `500ms`.

use std::time::Duration;

use super::invalid::Invalid;

/// Reads a duration; a field that is not there has none.
pub(super) fn optional(field: &str, text: Option<&str>) -> Result<Option<Duration>, Invalid> {
    let read = |text| parse(text).ok_or_else(|| Invalid::field(field, wrong(text)));
    text.map(read).transpose()
}

/// One to four numbers of at most five digits, each with a unit.
fn parse(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    for _ in 0..PARTS_MAX {
        let digits = rest.find(|char: char| !char.is_ascii_digit())?;
        let (number, with_unit) = rest.split_at(digits);
        if number.is_empty() || number.len() > DIGITS_MAX {
            return None;
        }
        let unit = with_unit.find(|char: char| char.is_ascii_digit()).unwrap_or(with_unit.len());
        let (unit, after) = with_unit.split_at(unit);
        let number: u64 = number.parse().ok()?;
        total += match unit {
            "h" => Duration::from_secs(number * 3600),
            "m" => Duration::from_secs(number * 60),
            "s" => Duration::from_secs(number),
            "ms" => Duration::from_millis(number),
            _ => return None,
        };
        if after.is_empty() {
            return Some(total);
        }
        rest = after;
    }
    None
}

fn wrong(text: &str) -> String {
    format!("{text:?} is no duration; write for example 10s, 500ms or 1h30m")
}

const PARTS_MAX: usize = 4;
const DIGITS_MAX: usize = 5;

#[cfg(test)]
mod tests;
