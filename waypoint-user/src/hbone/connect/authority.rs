//! The target of a CONNECT: an address or a host name, and a port (RFC 9110, 7.2).

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

/// Longest host name, as DNS has it.
const HOST_BYTES_MAX: usize = 253;

/// Longest label of a host name.
const LABEL_BYTES_MAX: usize = 63;

/// The target of a CONNECT.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Authority {
    /// An address; never an IPv4 address in IPv6's clothes.
    Address(SocketAddr),
    /// A Service's host name, in lower case.
    Host(String, u16),
}

impl Authority {
    /// Reads `10.0.0.1:80`, `[fd00::1]:80` or `shop.default.svc.cluster.local:80`. There is no
    /// default port, no user, no zone.
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let port = parse_port(port)?;
        if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let address: Ipv6Addr = address.parse().ok()?;
            return Some(Self::Address(SocketAddr::new(address.to_canonical(), port)));
        }
        if let Ok(address) = host.parse::<Ipv4Addr>() {
            return Some(Self::Address(SocketAddr::new(IpAddr::V4(address), port)));
        }
        is_host_name(host).then(|| Self::Host(host.to_ascii_lowercase(), port))
    }

    /// The port.
    pub fn port(&self) -> u16 {
        match self {
            Self::Address(address) => address.port(),
            Self::Host(_, port) => *port,
        }
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Host(host, port) => write!(f, "{host}:{port}"),
        }
    }
}

/// A port in decimal, without a sign or leading zeros; none is 0.
pub(super) fn parse_port(text: &str) -> Option<u16> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    if is_plain { text.parse().ok() } else { None }
}

/// True for labels of letters, digits, `-` and `_`, the last of which is not a number: what looks
/// like an address but is none, is not a name either.
pub(super) fn is_host_name(host: &str) -> bool {
    let is_label = |label: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let edges = !label.starts_with('-') && !label.ends_with('-');
        (1..=LABEL_BYTES_MAX).contains(&label.len()) && label.bytes().all(allowed) && edges
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit());
    host.len() <= HOST_BYTES_MAX && host.split('.').all(is_label) && !is_number
}
