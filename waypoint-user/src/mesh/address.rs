//! Address ranges.
//!
//! Plain addresses are `std::net`'s; this module adds only what it lacks.

use std::{fmt, net::IpAddr, str::FromStr};

/// A range of addresses of one family: `10.0.0.0/8`, `fd00::/8`, or a single address.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash, Ord, PartialOrd)]
pub struct IpBlock(ipnet::IpNet);

impl IpBlock {
    /// Whether the range holds the address; a mapped IPv4 address counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl IpBlock {
    /// The range of this length that an address is in; `None` if no address of its family is as
    /// long.
    pub fn around(address: IpAddr, prefix_len: u8) -> Option<Self> {
        ipnet::IpNet::new(address, prefix_len).ok().map(|net| Self(net.trunc()))
    }

    /// The same range, by its first address.
    #[must_use]
    pub fn canonical(self) -> Self {
        Self(self.0.trunc())
    }

    /// Its first address.
    pub fn network(&self) -> IpAddr {
        self.0.network()
    }

    /// How many leading bits its addresses share.
    pub fn prefix_len(&self) -> u8 {
        self.0.prefix_len()
    }

    /// The address, if it holds only one.
    pub fn single(&self) -> Option<IpAddr> {
        (self.0.prefix_len() == self.0.max_prefix_len()).then(|| self.0.addr())
    }

    /// Whether it holds every address of another range.
    pub fn covers(&self, other: &Self) -> bool {
        self.0.contains(&other.0)
    }
}

/// Ranges that mean the machine itself, its link, or many machines at once: no connection to
/// another machine has an address of these.
pub const SPECIAL: [&str; 9] = [
    "0.0.0.0/8",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "224.0.0.0/4",
    "255.255.255.255/32",
    "::/128",
    "::1/128",
    "fe80::/10",
    "ff00::/8",
];

/// Whether an address is in one of [`SPECIAL`].
pub fn is_special(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [first, ..] = v4.octets();
            matches!(first, 0 | 127 | 224..240) || v4.is_link_local() || v4.is_broadcast()
        }
        IpAddr::V6(v6) => {
            let special = v6.is_unspecified() || v6.is_loopback() || v6.is_multicast();
            special || v6.is_unicast_link_local()
        }
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
