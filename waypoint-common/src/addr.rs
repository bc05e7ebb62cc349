//! An address as maps hold it: 16 bytes, IPv4 mapped into IPv6 (RFC 4291 section 2.5.5.2).
//!
//! It parses no text; both families share one key so that no table exists twice.

/// An IPv6 address, or an IPv4 address mapped into IPv6, in network byte order.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub struct Addr(pub [u8; 16]);

impl Addr {
    /// The address `::`, which no pod has.
    pub const UNSPECIFIED: Self = Self([0; 16]);

    /// Maps an IPv4 address, given in network byte order.
    #[inline(always)]
    pub const fn v4(octets: [u8; 4]) -> Self {
        let [a, b, c, d] = octets;
        Self([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d])
    }

    /// Takes an IPv6 address as it is, given in network byte order.
    #[inline(always)]
    pub const fn v6(octets: [u8; 16]) -> Self {
        Self(octets)
    }

    /// Whether this is a mapped IPv4 address.
    #[inline(always)]
    pub const fn is_v4(&self) -> bool {
        matches!(self.0, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ..])
    }
}

impl From<core::net::IpAddr> for Addr {
    fn from(address: core::net::IpAddr) -> Self {
        match address {
            core::net::IpAddr::V4(v4) => Self::v4(v4.octets()),
            core::net::IpAddr::V6(v6) => Self::v6(v6.octets()),
        }
    }
}

impl From<Addr> for core::net::IpAddr {
    fn from(address: Addr) -> Self {
        core::net::Ipv6Addr::from(address.0).to_canonical()
    }
}

const _: () = assert!(size_of::<Addr>() == 16);
crate::pod!(Addr);
