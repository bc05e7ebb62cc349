//! Address ranges.
//!
//! Plain addresses are `std::net`'s; this module adds only what it lacks.

use std::{fmt, net::IpAddr, str::FromStr};

/// A range of addresses of one family: `10.0.0.0/8`, `fd00::/8`, or a single address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct IpBlock(ipnet::IpNet);

impl IpBlock {
    /// Whether the range holds the address; a mapped IPv4 address counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl FromStr for IpBlock {
    type Err = InvalidBlock;

    fn from_str(text: &str) -> Result<Self, InvalidBlock> {
        text.parse::<ipnet::IpNet>()
            .or_else(|_| text.parse::<IpAddr>().map(Into::into))
            .map(Self)
            .map_err(|_| InvalidBlock(text.to_owned()))
    }
}

impl fmt::Display for IpBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A text that is neither an address nor a range.
#[derive(Debug, thiserror::Error, Eq, PartialEq)]
#[error("{0:?} is neither an IP address nor a CIDR range")]
pub struct InvalidBlock(pub String);

#[cfg(test)]
mod tests;
