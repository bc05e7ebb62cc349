//! The links, addresses and routes of a node and its pods, as lines for `ip -batch`.
//!
//! It knows nothing of Kubernetes. Two shapes: a pod behind a routed veth with /32 and /128
//! addresses, and pods on a Linux bridge.

use anyhow::Result;

use super::{address::Addresses, netns::Netns};

/// How a pod hangs on its node.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Cabling {
    /// A veth with host routes on both sides, as Calico makes.
    #[default]
    Routed,
    /// A veth whose host side is a port of a bridge, as the bridge CNI plugin makes.
    Bridged,
}

/// One pod's link.
#[derive(Debug)]
pub struct Link<'a> {
    /// The pod's number in the lab.
    pub number: u8,
    /// Its node's number.
    pub node: u8,
    /// Its addresses.
    pub addresses: Addresses,
    /// Its namespace.
    pub netns: &'a Netns,
    /// How it hangs on the node.
    pub cabling: Cabling,
}

impl Link<'_> {
    /// The name of its host side.
    pub fn name(&self) -> String {
        host_side(self.number)
    }

    /// Makes the link, with addresses, routes and neighbours on both sides.
    pub fn create(&self, node: &Netns) -> Result<()> {
        node.ip(&self.host_lines())?;
        self.netns.ip(&self.pod_lines())
    }

    fn host_lines(&self) -> String {
        let (link, host, pod) = (self.name(), self.mac(1), self.mac(2));
        let inside = self.netns.name();
        let Addresses { v4, v6 } = self.addresses;
        let made = format!(
            "link add {link} address {host} type veth peer name eth0 address {pod} netns {inside}\n\
             link set {link} addrgenmode none\n"
        );
        made + &match self.cabling {
            Cabling::Routed => format!(
                "link set {link} up\n\
                 addr add {GATEWAY6}/64 dev {link} nodad\n\
                 route add {v4}/32 dev {link}\n\
                 route add {v6}/128 dev {link}\n\
                 neigh replace {v4} lladdr {pod} dev {link} nud permanent\n\
                 neigh replace {v6} lladdr {pod} dev {link} nud permanent\n"
            ),
            Cabling::Bridged => format!("link set {link} master {BRIDGE}\nlink set {link} up\n"),
        }
    }

    fn pod_lines(&self) -> String {
        let Addresses { v4, v6 } = self.addresses;
        let up = "link set lo up\nlink set eth0 addrgenmode none\nlink set eth0 up\n".to_owned();
        up + &match self.cabling {
            Cabling::Routed => {
                let host = self.mac(1);
                format!(
                    "addr add {v4}/32 dev eth0\n\
                     addr add {v6}/128 dev eth0 nodad\n\
                     route add {GATEWAY4} dev eth0 scope link\n\
                     route add default via {GATEWAY4} dev eth0\n\
                     route add ::/0 via {GATEWAY6} dev eth0\n\
                     neigh replace {GATEWAY4} lladdr {host} dev eth0 nud permanent\n\
                     neigh replace {GATEWAY6} lladdr {host} dev eth0 nud permanent\n"
                )
            }
            Cabling::Bridged => {
                let bridge = Addresses::of_bridge(self.node);
                format!(
                    "addr add {v4}/24 dev eth0\n\
                     addr add {v6}/64 dev eth0 nodad\n\
                     route add default via {}\n\
                     route add ::/0 via {}\n",
                    bridge.v4, bridge.v6
                )
            }
        }
    }

    fn mac(&self, side: u8) -> String {
        format!("02:77:00:00:{:02x}:{side:02x}", self.number)
    }
}

/// Prepares a node's own namespace: it forwards, and has a bridge when pods want one.
pub fn prepare_node(node: &Netns, bridge: Option<Addresses>) -> Result<()> {
    for (key, value) in [("ipv4/ip_forward", "1"), ("ipv6/conf/all/forwarding", "1")] {
        node.sysctl(key, value)?;
    }
    node.ip("link set lo up\n")?;
    let Some(Addresses { v4, v6 }) = bridge else { return Ok(()) };
    node.ip(&format!(
        "link add {BRIDGE} type bridge\n\
         link set {BRIDGE} addrgenmode none\n\
         addr add {v4}/24 dev {BRIDGE}\n\
         addr add {v6}/64 dev {BRIDGE} nodad\n\
         addr add {GATEWAY6}/64 dev {BRIDGE} nodad\n\
         link set {BRIDGE} up\n"
    ))
}

/// Gives a node that is alone an address to speak from.
pub fn address_alone(node: &Netns) -> Result<()> {
    let Addresses { v4, v6 } = Addresses::NODE;
    node.ip(&format!("addr add {v4}/32 dev lo\naddr add {v6}/128 dev lo nodad\n"))
}

/// The name of the host side of a pod's link.
pub fn host_side(number: u8) -> String {
    format!("veth{number}")
}

const GATEWAY4: &str = "169.254.1.1";
const GATEWAY6: &str = "fe80::1";
const BRIDGE: &str = "br0";
