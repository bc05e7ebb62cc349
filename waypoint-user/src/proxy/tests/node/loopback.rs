//! The network of a node, on loopback.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    os::unix::net::UnixStream,
    sync::{Arc, Mutex},
};

use socket2::{Domain, Protocol, Socket, Type};

use super::abstract_name;
use crate::{
    mesh::{object::ObjectName, workload::Workload},
    proxy::{Network, Vantage},
};

/// One network in place of many: a pod's connections come from its address.
pub(super) struct Loopback {
    pub(super) pods: HashMap<ObjectName, Vec<IpAddr>>,
    pub(super) vantages: Arc<Mutex<Vec<Vantage>>>,
}

impl Network for Loopback {
    fn tcp(&self, vantage: &Vantage, _v4: bool) -> io::Result<Socket> {
        self.vantages.lock().unwrap().push(vantage.clone());
        let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
        let from = match vantage {
            Vantage::Own => return Ok(socket),
            Vantage::Pod(pod) => self.pods[pod][0],
            Vantage::Agent(address) => *address,
        };
        socket.bind(&SocketAddr::new(from, 0).into())?;
        Ok(socket)
    }

    fn unix(&self, pod: &Workload, _name: &[u8]) -> io::Result<UnixStream> {
        let netns = pod.netns.as_ref().ok_or(io::ErrorKind::NotFound)?;
        UnixStream::connect_addr(&abstract_name(netns))
    }
}
