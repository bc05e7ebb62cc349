//! The TCP connections of a network namespace, as the kernel counts them.
//!
//! It sees the sockets of every process and touches none.

use std::{collections::HashMap, net::IpAddr};

use netlink_packet_sock_diag::{
    AF_INET, AF_INET6, IPPROTO_TCP, SockDiagMessage,
    inet::{ExtensionFlags, InetRequest, SocketId, StateFlags},
};

use super::{
    netlink::{DiagSocket, Error},
    netns::Netns,
};

/// Counts the connections by the address of their other side, from the first packet of their
/// handshake until neither side has anything left to say. It blocks for as long as the listing
/// takes.
pub fn open_connections(netns: &Netns) -> Result<HashMap<IpAddr, usize>, Error> {
    let mut socket = netns.run(DiagSocket::open)??;
    let mut connections = HashMap::new();
    for (family, any) in [(AF_INET, SocketId::new_v4()), (AF_INET6, SocketId::new_v6())] {
        let request = SockDiagMessage::InetRequest(InetRequest {
            family,
            protocol: IPPROTO_TCP,
            extensions: ExtensionFlags::empty(),
            states: open_states(),
            socket_id: any,
        });
        for answer in socket.list(&request, "listing TCP sockets")? {
            if let SockDiagMessage::InetResponse(found) = answer {
                let peer = found.header.socket_id.destination_address.to_canonical();
                *connections.entry(peer).or_default() += 1;
            }
        }
    }
    Ok(connections)
}

/// All but those that are no connection yet or no more.
fn open_states() -> StateFlags {
    StateFlags::all() - StateFlags::LISTEN - StateFlags::CLOSE - StateFlags::TIME_WAIT
}
