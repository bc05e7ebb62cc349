//! A pod of our own that dials a captured destination, to prove the data path from end to end.
//!
//! Its connection takes every step of a real one: `from_pod` on a veth, the agent's namespace,
//! `steer`, a listener, and the answer's way back. The engine closes it at once, and that is the
//! proof.
//!
//! **Invariant:** its namespace, addresses and number are no pod's, and nothing but it ever dials
//! them.

use std::{
    io::{self, Read as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    time::Duration,
};

use waypoint_common::redirect::{
    Destination, DestinationKey, PROBE_SLOT, action, destination_flag::ALWAYS,
};

use super::{
    Error, Settings, blocking,
    desired::Pod,
    enrolment::Attached,
    listeners,
    netns::{self, Netns},
    pods::PodInterface,
};
use crate::mesh::workload::NetnsRef;

mod veth;

/// The probe's namespace.
#[derive(Debug)]
pub(super) struct Probe {
    netns: Netns,
    interface: PodInterface,
}

impl Probe {
    /// Makes the probe's namespace and its veth, unless they are there.
    pub(super) async fn ensure(settings: &Settings) -> Result<Self, Error> {
        let settings = settings.clone();
        let outcome = blocking::run(move || Self::make(&settings).map(|(probe, _)| probe));
        outcome.await.unwrap_or(Err(Error::Interrupted))
    }

    /// Does the same on this thread, and says what it did.
    pub(super) fn make(settings: &Settings) -> Result<(Self, Vec<String>), Error> {
        let (path, link, mut made) = (path(settings), link(settings), Vec::new());
        let netns = if let Ok(netns) = Netns::open(&path) {
            netns
        } else {
            made.push(format!("network namespace {}", path.display()));
            Netns::create(&path)?
        };
        let ifindex = veth::ensure(&netns, &link, &mut made)?;
        let (name, netns_inode) = (link, netns.inode());
        let interface = PodInterface { ifindex, name, netns_inode, head: [0; 12] };
        Ok((Self { netns, interface }, made))
    }

    /// Where `from_pod` belongs.
    pub(super) fn interface(&self) -> &PodInterface {
        &self.interface
    }

    /// The probe as a pod.
    pub(super) fn pod(&self) -> Attached {
        let netns = NetnsRef::Path(self.netns.path().to_owned());
        let addresses = families().map(|family| family.source).collect();
        let pod = Pod { client: true, netns: Some(netns), uid: "probe".into(), addresses };
        Attached::new(pod, self.interface.clone(), PROBE_SLOT)
    }

    /// Dials the captured destination of each family and waits to be closed.
    pub(super) async fn run(&self) -> Result<(), Error> {
        let netns = self.netns.duplicate()?;
        let dial = move || families().try_for_each(|family| family.dial(&netns));
        blocking::run(dial).await.unwrap_or(Err(Error::Interrupted))
    }
}

/// Entries of `wp_dst` for what the probe dials.
pub(super) fn destinations() -> impl Iterator<Item = (DestinationKey, Destination)> {
    let entry = Destination {
        action: action::CAPTURE,
        flags: ALWAYS,
        waypoint_slot: 0,
        waypoint_id: 0,
        target_if: 0,
        reserve: 0,
    };
    families().map(move |family| (DestinationKey::tcp(family.target.into(), PORT.to_be()), entry))
}

/// Removes the probe's veth and namespace, and says what there was.
pub(super) fn remove(settings: &Settings) -> Result<Vec<String>, Error> {
    let (path, link) = (path(settings), link(settings));
    let mut removed = Vec::new();
    if let Ok(netns) = Netns::open(&path)
        && veth::remove(&netns, &link)?
    {
        removed.push(format!("link {link}"));
    }
    if netns::remove(&path)? {
        removed.push(format!("network namespace {}", path.display()));
    }
    Ok(removed)
}

/// One family's end points.
#[derive(Clone, Copy, Debug)]
struct Family {
    name: &'static str,
    source: IpAddr,
    target: IpAddr,
}

impl Family {
    fn dial(&self, netns: &Netns) -> Result<(), Error> {
        let target = SocketAddr::new(self.target, PORT);
        netns
            .run(|| until_closed(target))?
            .map_err(|cause| Error::Probe { family: self.name, cause: cause.to_string() })
    }
}

/// Connects, and waits for the other side to close.
fn until_closed(target: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&target, DEADLINE)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    match stream.read(&mut [0]) {
        Ok(0) => Ok(()),
        Ok(_) => Err(io::Error::other("somebody else answered")),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            Err(io::Error::other("connected, but nobody accepted the connection"))
        }
        Err(error) => Err(error),
    }
}

/// The families that the kernel has.
fn families() -> impl Iterator<Item = Family> {
    let count = if listeners::has_ipv6() { 2 } else { 1 };
    FAMILIES.into_iter().take(count)
}

fn path(settings: &Settings) -> PathBuf {
    settings.run_dir.join(Path::new("netns/probe"))
}

/// The agent's link's name with a letter behind it, or in the place of its last one.
fn link(settings: &Settings) -> String {
    let mut name = settings.link.clone();
    while name.len() >= LINK_NAME_BYTES {
        name.pop();
    }
    name.push('p');
    name
}

/// Addresses for documentation (RFC 5737) and of an ULA prefix of our own; no cluster has them.
const FAMILIES: [Family; 2] = [
    Family {
        name: "IPv4",
        source: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)),
        target: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
    },
    Family {
        name: "IPv6",
        source: IpAddr::V6(Ipv6Addr::new(0xfd57, 0x6179, 0x706f, 0x696e, 0, 0, 0, 2)),
        target: IpAddr::V6(Ipv6Addr::new(0xfd57, 0x6179, 0x706f, 0x696e, 0, 0, 0, 1)),
    },
];
const PORT: u16 = 9;
const DEADLINE: Duration = Duration::from_millis(800);
/// `IFNAMSIZ` without its closing zero.
const LINK_NAME_BYTES: usize = 15;
