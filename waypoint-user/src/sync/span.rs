//! A length of time as the Gateway API writes it (GEP-2257): `1h30m`, `250ms`, `0s`.
//!
//! It knows no fractions and no sign. What is longer than eleven years counts as eleven years: the
//! longest that can be written with each unit once.

use std::{borrow::Cow, fmt, str::FromStr, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A length of time.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Span(pub Duration);

impl Span {
    /// So many seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// So many thousandths of a second.
    pub const fn millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }
}

impl FromStr for Span {
    type Err = NotASpan;

    fn from_str(text: &str) -> Result<Self, NotASpan> {
        let wrong = || NotASpan(text.to_owned());
        let (mut rest, mut sum, mut parts) = (text, 0_u64, 0);
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, after) = rest.split_at_checked(digits).ok_or_else(wrong)?;
            // Backwards, as one unit begins with the name of another.
            let unit = UNITS
                .iter()
                .rev()
                .find_map(|(unit, worth)| after.strip_prefix(unit).map(|after| (after, *worth)));
            let (after, worth) = unit.ok_or_else(wrong)?;
            if !(1..=5).contains(&digits) || parts == PARTS_MAX {
                return Err(wrong());
            }
            sum += number.parse::<u64>().map_err(|_| wrong())? * worth;
            (rest, parts) = (after, parts + 1);
        }
        if parts == 0 { Err(wrong()) } else { Ok(Self::millis(sum.min(MILLIS_MAX))) }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX).min(MILLIS_MAX);
        if rest == 0 {
            return f.write_str("0s");
        }
        for (unit, worth) in UNITS {
            let count = rest / worth;
            rest %= worth;
            if count > 0 {
                write!(f, "{count}{unit}")?;
            }
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Span {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": PATTERN })
    }
}

/// Not a length of time.
#[derive(Debug, thiserror::Error, Eq, PartialEq)]
#[error("{0:?} is not a length of time; write numbers with h, m, s or ms, such as 1m30s")]
pub struct NotASpan(String);

/// How the API server knows it.
const PATTERN: &str = "^([0-9]{1,5}(h|m|s|ms)){1,4}$";
/// Units, and how many milliseconds each is worth.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
/// 99999h59m59s999ms.
const MILLIS_MAX: u64 = 100_000 * 3_600_000 - 1;
/// Most numbers with a unit.
const PARTS_MAX: usize = 4;

#[cfg(test)]
mod tests;
