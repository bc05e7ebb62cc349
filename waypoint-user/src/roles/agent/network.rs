//! Sockets of a node: its own, those of its pods, and those that reach its pods.

use std::{
    ffi::OsStr,
    io,
    net::SocketAddr,
    os::unix::{ffi::OsStrExt, net::UnixStream},
};

use socket2::{SockAddr, Socket};

use crate::{
    kernel::Sockets,
    mesh::workload::Workload,
    proxy::{Network, OwnNetwork, Vantage},
};

/// The networks of a node.
#[derive(Debug)]
pub(super) struct NodeNetwork {
    own: OwnNetwork,
    sockets: Sockets,
}

impl NodeNetwork {
    /// The node's own network, with sockets that have a mark, and those that the kernel's half of
    /// the data path knows.
    pub(super) fn new(mark: u32, sockets: Sockets) -> Self {
        Self { own: OwnNetwork { mark }, sockets }
    }
}

impl Network for NodeNetwork {
    fn tcp(&self, vantage: &Vantage, v4: bool) -> io::Result<Socket> {
        match vantage {
            Vantage::Own => self.own.tcp(vantage, v4),
            Vantage::Pod(pod) => self.sockets.in_pod(pod, v4),
            Vantage::Agent(address) => {
                let socket = self.sockets.in_agent(v4)?;
                socket.bind(&SocketAddr::new(*address, 0).into())?;
                Ok(socket)
            }
        }
    }

    fn unix(&self, pod: &Workload, name: &[u8]) -> io::Result<UnixStream> {
        let socket = self.sockets.unix_in(pod)?;
        let abstract_name = [b"\0", name].concat();
        socket.connect(&SockAddr::unix(OsStr::from_bytes(&abstract_name))?)?;
        Ok(socket.into())
    }
}
