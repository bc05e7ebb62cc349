//! How many of the traces that begin here are kept.

use std::{fmt, str::FromStr};

use super::Error;

/// A share of traces, in hundredths of a percent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rate(u16);

impl Rate {
    /// Whether a trace is among them. Every hop with the same rate decides alike, as it is the
    /// trace's number that decides.
    pub fn takes(self, trace: u128) -> bool {
        (trace & CHANCE) * u128::from(WHOLE) < u128::from(self.0) * (CHANCE + 1)
    }
}

/// One percent, as in Istio.
impl Default for Rate {
    fn default() -> Self {
        Self(HUNDREDTHS)
    }
}

impl FromStr for Rate {
    type Err = Error;

    /// A percentage with at most two decimals.
    fn from_str(text: &str) -> Result<Self, Error> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let number = |text: &str, len| {
            let fits = (1..=len).contains(&text.len());
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<u16>().ok().filter(|_| fits && digits)
        };
        let hundredths = number(decimals, 2).map(|n| if decimals.len() == 1 { n * 10 } else { n });
        let rate = number(whole, 3)
            .zip(hundredths)
            .map(|(whole, rest)| u32::from(whole) * u32::from(HUNDREDTHS) + u32::from(rest));
        let rate = rate.and_then(|rate| u16::try_from(rate).ok()).filter(|rate| *rate <= WHOLE);
        rate.map(Self).ok_or_else(|| Error::Rate(text.to_owned()))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, output: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(output, "{}.{:02}", self.0 / HUNDREDTHS, self.0 % HUNDREDTHS)
    }
}

/// One percent, and all.
const HUNDREDTHS: u16 = 100;
const WHOLE: u16 = 100 * HUNDREDTHS;

/// The bits of a trace's number that are drawn by chance (W3C Trace Context, level 2).
const CHANCE: u128 = (1 << 56) - 1;

#[cfg(test)]
mod tests;
