//! An address as maps hold it: 16 bytes, IPv4 mapped into IPv6 (RFC 4291 section 2.5.5.2).
//!
//! It parses no text; both families share one key so that no table exists twice.

/// An IPv6 address, or an IPv4 address mapped into IPv6.
///
/// In memory it is the 16 bytes in network byte order. They are kept as words, as the kernel side
/// would otherwise move and compare them byte by byte, and the verifier with it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub struct Addr([u32; 4]);

#[expect(clippy::many_single_char_names, reason = "the bytes of an address have no better names")]
impl Addr {
    /// The address `::`, which no pod has.
    pub const UNSPECIFIED: Self = Self([0; 4]);

    /// Maps an IPv4 address, given in network byte order.
    #[inline(always)]
    pub const fn v4(octets: [u8; 4]) -> Self {
        Self([0, 0, MAPPED, u32::from_ne_bytes(octets)])
    }

    /// Takes an IPv6 address as it is, given in network byte order.
    #[inline(always)]
    pub const fn v6(octets: [u8; 16]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = octets;
        Self([
            u32::from_ne_bytes([a, b, c, d]),
            u32::from_ne_bytes([e, f, g, h]),
            u32::from_ne_bytes([i, j, k, l]),
            u32::from_ne_bytes([m, n, o, p]),
        ])
    }

    /// Takes four words as the kernel's structures hold them, in network byte order.
    #[inline(always)]
    pub const fn from_words(words: [u32; 4]) -> Self {
        Self(words)
    }

    /// The address as four words in network byte order.
    #[inline(always)]
    pub const fn words(&self) -> [u32; 4] {
        self.0
    }

    /// The address as bytes in network byte order.
    #[inline(always)]
    pub const fn octets(&self) -> [u8; 16] {
        let [first, second, third, fourth] = self.0;
        let [a, b, c, d] = first.to_ne_bytes();
        let [e, f, g, h] = second.to_ne_bytes();
        let [i, j, k, l] = third.to_ne_bytes();
        let [m, n, o, p] = fourth.to_ne_bytes();
        [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
    }

    /// Whether this is a mapped IPv4 address.
    ///
    /// One comparison, as the verifier follows both sides of each.
    #[inline(always)]
    pub const fn is_v4(&self) -> bool {
        let [a, b, c, _] = self.0;
        a | b | (c ^ MAPPED) == 0
    }

    /// Whether this is the same address, in one comparison.
    #[inline(always)]
    pub const fn is(&self, other: &Self) -> bool {
        let [a, b, c, d] = self.0;
        let [e, f, g, h] = other.0;
        (a ^ e) | (b ^ f) | (c ^ g) | (d ^ h) == 0
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
        core::net::Ipv6Addr::from(address.octets()).to_canonical()
    }
}

/// The third word of a mapped IPv4 address.
const MAPPED: u32 = u32::from_ne_bytes([0, 0, 0xff, 0xff]);

const _: () = assert!(size_of::<Addr>() == 16);
crate::pod!(Addr);
