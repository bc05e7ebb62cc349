//! PROXY protocol, version 2 (haproxy `doc/proxy-protocol.txt`): who the client of a connection is,
//! told in front of its bytes.
//!
//! It tells addresses of TCP and the client's identity (`0xD0`, ztunnel `src/proxy.rs`), and reads
//! no other protocols.
//!
//! **Invariant:** reading never takes a byte behind the header.

use std::net::{IpAddr, SocketAddr};

/// What every header begins with.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// Version 2, and a connection of somebody else.
const PROXIED: u8 = 0x21;

/// Version 2, and a connection of the proxy's own, as of a health check.
const LOCAL: u8 = 0x20;

/// TCP over IPv4, and over IPv6.
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;

/// The client's SPIFFE URI, in Istio's use of the range for own purposes.
const IDENTITY: u8 = 0xD0;

/// Bytes in front of those that the length counts.
const FIXED_BYTES: usize = 16;

/// Longest header that is read, without the first 16 bytes: addresses and an identity have room.
const BYTES_MAX: usize = 4096;

/// Longest identity (SPIFFE-ID 2.3).
const IDENTITY_BYTES_MAX: usize = 2048;

/// What a header tells.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Told {
    /// Who connects, and to where.
    pub source: SocketAddr,
    /// To where.
    pub destination: SocketAddr,
    /// Who that is, as a SPIFFE URI.
    pub identity: Option<String>,
}

/// What the first bytes of a connection are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Begin {
    /// A header of so many bytes; `None` where the proxy speaks for itself.
    Header(usize, Option<Told>),
    /// The begin of a header; there must be at least so many bytes.
    Short(usize),
    /// No header, or none that is read here.
    Other,
}

impl Told {
    /// The header. Addresses of two families are both told as IPv6; an identity that is too long
    /// is left out.
    pub fn header(&self) -> Vec<u8> {
        let (family, addresses) = match (self.source.ip(), self.destination.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                (TCP4, [source.octets(), destination.octets()].concat())
            }
            (source, destination) => (TCP6, [mapped(source), mapped(destination)].concat()),
        };
        let mut told = addresses;
        told.extend(self.source.port().to_be_bytes());
        told.extend(self.destination.port().to_be_bytes());
        if let Some((identity, length)) = self.told_identity() {
            told.push(IDENTITY);
            told.extend(length.to_be_bytes());
            told.extend(identity.as_bytes());
        }
        let length = u16::try_from(told.len()).unwrap_or(u16::MAX);
        let mut header = SIGNATURE.to_vec();
        header.extend([PROXIED, family]);
        header.extend(length.to_be_bytes());
        header.extend(told);
        header
    }

    fn told_identity(&self) -> Option<(&str, u16)> {
        let identity = self.identity.as_deref()?;
        let is_told = (1..=IDENTITY_BYTES_MAX).contains(&identity.len());
        Some((identity, u16::try_from(identity.len()).ok()?)).filter(|_| is_told)
    }
}

fn mapped(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

/// Reads the header in front of a connection's bytes.
pub fn parse(bytes: &[u8]) -> Begin {
    let begin = bytes.len().min(SIGNATURE.len());
    if bytes.get(..begin) != SIGNATURE.get(..begin) {
        return Begin::Other;
    }
    let Some((fixed, rest)) = bytes.split_first_chunk::<FIXED_BYTES>() else {
        return Begin::Short(FIXED_BYTES);
    };
    let [.., command, family, high, low] = *fixed;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > BYTES_MAX || !matches!(command, PROXIED | LOCAL) {
        return Begin::Other;
    }
    let Some(told) = rest.get(..length) else { return Begin::Short(FIXED_BYTES + length) };
    if command == LOCAL {
        return Begin::Header(FIXED_BYTES + length, None);
    }
    let told = match family {
        TCP4 => addresses::<4>(told),
        TCP6 => addresses::<16>(told),
        _ => None,
    };
    told.map_or(Begin::Other, |told| Begin::Header(FIXED_BYTES + length, Some(told)))
}

/// The addresses, and what follows them.
fn addresses<const N: usize>(bytes: &[u8]) -> Option<Told>
where
    IpAddr: From<[u8; N]>,
{
    let (source, rest) = bytes.split_first_chunk::<N>()?;
    let (destination, rest) = rest.split_first_chunk::<N>()?;
    let (source_port, rest) = rest.split_first_chunk::<2>()?;
    let (destination_port, rest) = rest.split_first_chunk::<2>()?;
    let address = |ip: &[u8; N], port: &[u8; 2]| {
        SocketAddr::new(IpAddr::from(*ip).to_canonical(), u16::from_be_bytes(*port))
    };
    Some(Told {
        source: address(source, source_port),
        destination: address(destination, destination_port),
        identity: identity(rest).ok()?,
    })
}

/// Values that are malformed, or that tell two identities.
struct Malformed;

/// The identity among the values, if one is told.
fn identity(mut values: &[u8]) -> Result<Option<String>, Malformed> {
    let mut found = None;
    while let Some((&kind, rest)) = values.split_first() {
        let (length, rest) = rest.split_first_chunk::<2>().ok_or(Malformed)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (value, rest) = rest.split_at_checked(length).ok_or(Malformed)?;
        if kind == IDENTITY {
            let text = std::str::from_utf8(value).map_err(|_| Malformed)?;
            let is_fit = (1..=IDENTITY_BYTES_MAX).contains(&text.len());
            if !is_fit || found.replace(text.to_owned()).is_some() {
                return Err(Malformed);
            }
        }
        values = rest;
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
