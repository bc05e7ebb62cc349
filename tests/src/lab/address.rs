//! Addresses of a lab: one of each family for everything that has any.
//!
//! Every lab uses the same ones, as its namespaces reach nothing outside.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// The IP family in which a story is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

/// One address of each family.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Addresses {
    /// The IPv4 address.
    pub v4: Ipv4Addr,
    /// The IPv6 address.
    pub v6: Ipv6Addr,
}

impl Addresses {
    /// The node's own, where it is the only one.
    pub const NODE: Self =
        Self { v4: Ipv4Addr::new(10, 77, 0, 1), v6: Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 1) };

    /// A pod's, by its number in the lab and the number of its node.
    pub fn of_pod(number: u8, node: u8) -> Self {
        Self {
            v4: Ipv4Addr::new(10, 77, node, number),
            v6: Ipv6Addr::new(0xfd77, u16::from(node), 0, 0, 0, 0, 0, u16::from(number)),
        }
    }

    /// Those of a node's bridge, when pods are on one.
    pub fn of_bridge(node: u8) -> Self {
        Self::of_pod(254, node)
    }

    /// On the link between the nodes.
    pub fn on_underlay(member: u8) -> Self {
        Self {
            v4: Ipv4Addr::new(192, 168, 77, member),
            v6: Ipv6Addr::new(0xfd77, 0xff, 0, 0, 0, 0, 0, u16::from(member)),
        }
    }

    /// A service's virtual ones, by its number in the lab.
    pub fn of_service(number: u16) -> Self {
        // Others have the first ones: an API server, and examples.
        let number = (77 << 8) + number;
        let [high, low] = number.to_be_bytes();
        Self {
            v4: Ipv4Addr::new(10, 96, high, low),
            v6: Ipv6Addr::new(0xfd96, 0, 0, 0, 0, 0, 0, number),
        }
    }

    /// The one of a family.
    pub fn of(&self, family: Family) -> IpAddr {
        match family {
            Family::V4 => self.v4.into(),
            Family::V6 => self.v6.into(),
        }
    }

    /// Both.
    pub fn both(&self) -> [IpAddr; 2] {
        [self.v4.into(), self.v6.into()]
    }
}
