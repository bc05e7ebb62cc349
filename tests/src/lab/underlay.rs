//! The link between the nodes: a bridge in a network namespace of its own, which sees every frame
//! that leaves a node.
//!
//! It knows nothing of pods but that a node forwards to those of its subnet.

use anyhow::Result;

use super::{address::Addresses, netns::Netns};

/// The bridge.
#[derive(Debug)]
pub struct Underlay {
    netns: Netns,
}

impl Underlay {
    /// Makes the bridge in an empty namespace.
    pub fn create(netns: Netns) -> Result<Self> {
        // A bridge that snoops forgets groups which nobody asks for, and IPv6's neighbours with
        // them.
        netns.ip(&format!(
            "link set lo up\n\
             link add {LINK} type bridge mcast_snooping 0\n\
             link set {LINK} addrgenmode none\n\
             link set {LINK} up\n"
        ))?;
        Ok(Self { netns })
    }

    /// The namespace in which every frame can be seen, on [`LINK`].
    pub fn netns(&self) -> &Netns {
        &self.netns
    }

    /// Connects a member, by the number that its address ends in.
    pub fn plug(&self, member: &Netns, number: u8) -> Result<()> {
        let (port, inside) = (format!("port{number}"), self.netns.name());
        let Addresses { v4, v6 } = Addresses::on_underlay(number);
        // Who forwards for others asks for IPv6 neighbours from a link-local address.
        member.ip(&format!(
            "link set lo up\n\
             link add {UPLINK} address 02:77:ff:00:00:{number:02x} type veth \
             peer name {port} netns {inside}\n\
             link set {UPLINK} addrgenmode none\n\
             addr add {v4}/24 dev {UPLINK}\n\
             addr add {v6}/64 dev {UPLINK} nodad\n\
             addr add fe80::77:{number:x}/64 dev {UPLINK} nodad\n\
             link set {UPLINK} up\n"
        ))?;
        self.netns
            .ip(&format!("link set {port} addrgenmode none\nlink set {port} master {LINK} up\n"))
    }

    /// Tells a member which of these nodes have which pods.
    pub fn route(&self, member: &Netns, nodes: impl IntoIterator<Item = u8>) -> Result<()> {
        let routes = nodes.into_iter().map(|node| {
            let (pods, via) = (Addresses::of_pod(0, node), Addresses::on_underlay(node));
            format!(
                "route add {}/24 via {}\nroute add {}/64 via {}\n",
                pods.v4, via.v4, pods.v6, via.v6
            )
        });
        member.ip(&routes.collect::<String>())
    }
}

/// The bridge's name in its namespace.
pub const LINK: &str = "underlay";
/// The name of a member's own link to it.
pub const UPLINK: &str = "eth0";
