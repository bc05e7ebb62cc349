//! Connections of enrolled pods, as the `watch` program tells of them.
//!
//! It sees every connection whose socket is in the cgroup, captured or not, and touches none.
//!
//! **Invariant:** the program is attached for as long as this process watches, and no longer.

use std::{
    fs::File,
    net::{IpAddr, SocketAddr},
    os::fd::AsFd,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use aya::{
    Ebpf,
    maps::{MapData, RingBuf},
    programs::{CgroupAttachMode, SockOps},
};
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::statfs::{CGROUP2_SUPER_MAGIC, statfs},
};
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;
use waypoint_common::{
    program,
    watch::{self as record, flow_flag},
};

use super::{Error, maps, object, pins::Pins};
use crate::{
    mesh::{
        flow::{Flow, Stage},
        snapshot::Snapshot,
    },
    telemetry::{flows::Hub, metrics::Registry},
};
use describe::Describe;

mod describe;

/// Where connections of enrolled pods can be watched.
#[derive(Clone, Debug)]
pub struct Source {
    pins: Pins,
}

impl Source {
    /// Those that a data path's programs know.
    pub(super) fn new(pins: Pins) -> Self {
        Self { pins }
    }

    /// What the connections of enrolled pods in a cgroup of version 2 do, from now on.
    pub fn attach(&self, cgroup: &Path) -> Result<Flows, Error> {
        Flows::attach(&self.pins, cgroup)
    }
}

/// The program on a cgroup, and what it tells.
pub struct Flows {
    ring: RingBuf<MapData>,
    /// Holds the program and its link.
    _object: Ebpf,
}

impl Flows {
    /// Attaches the program to a cgroup of version 2.
    fn attach(pins: &Pins, cgroup: &Path) -> Result<Self, Error> {
        let cgroup = version_2(cgroup)?;
        let directory = File::open(&cgroup).map_err(Error::file(&cgroup))?;
        let mut object = object::load(pins)?;
        let failed = Error::program(program::WATCH);
        let watch = object.program_mut(program::WATCH).ok_or(Error::Object(program::WATCH))?;
        let watch: &mut SockOps = watch.try_into().map_err(&failed)?;
        watch.load().map_err(&failed)?;
        // A link always shares its hook; the kernel takes no flag that says so.
        watch.attach(directory, CgroupAttachMode::Single).map_err(&failed)?;
        Ok(Self { ring: maps::flows(pins)?, _object: object })
    }

    /// Describes and counts connections, and hands them to whoever looks, on a thread of its own
    /// until shutdown. What is returned ends when the program is taken off again.
    pub fn follow(
        mut self,
        snapshots: watch::Receiver<Arc<Snapshot>>,
        registry: &Registry,
        hub: Hub,
        shutdown: CancellationToken,
    ) -> Result<oneshot::Receiver<()>, Error> {
        let describe = Describe::new(snapshots, registry);
        let (watching, ended) = oneshot::channel();
        let run = move || {
            while !shutdown.is_cancelled() {
                while let Some(flow) = self.next() {
                    describe.tell(&flow, &hub);
                }
                self.wait();
            }
            drop(self);
            drop(watching);
        };
        let started = thread::Builder::new().name("flows".to_owned()).spawn(run);
        started.map_err(Error::file("the thread of flows"))?;
        Ok(ended)
    }

    /// The next record that is there; others of another build are passed over.
    fn next(&mut self) -> Option<Flow> {
        loop {
            let entry = self.ring.next()?;
            if let Some(record) = record::Flow::read(&entry) {
                return Some(read(record));
            }
        }
    }

    /// Waits for a while: the program wakes nobody before a part of the ring is full.
    fn wait(&self) {
        let mut rings = [PollFd::new(self.ring.as_fd(), PollFlags::POLLIN)];
        if poll(&mut rings, PollTimeout::from(PATIENCE)).is_err() {
            thread::yield_now();
        }
    }
}

/// A cgroup of version 2; where both versions are mounted, as systemd's hybrid layout has them, it
/// is below the one that is named.
fn version_2(cgroup: &Path) -> Result<PathBuf, Error> {
    let is_one = |path: &Path| {
        statfs(path).is_ok_and(|found| found.filesystem_type() == CGROUP2_SUPER_MAGIC)
    };
    let beside = cgroup.join(HYBRID);
    let found = [cgroup, &beside].into_iter().find(|path| is_one(path)).map(Path::to_owned);
    found.ok_or_else(|| Error::NotVersion2(cgroup.to_owned()))
}

/// A record as a value of the mesh.
fn read(record: record::Flow) -> Flow {
    let end = |address, port: u16| SocketAddr::new(IpAddr::from(address), u16::from_be(port));
    Flow {
        stage: if record.kind == record::kind::OPENED { Stage::Opened } else { Stage::Closed },
        local: end(record.local, record.local_port),
        remote: end(record.remote, record.remote_port),
        initiated: record.flags & flow_flag::INITIATED != 0,
        cookie: record.cookie,
        duration: Duration::from_nanos(record.time_ns.saturating_sub(record.start_ns)),
        sent: record.sent,
        received: record.received,
        round_trip: Duration::from_micros(record.srtt_us.into()),
        retransmissions: record.retransmissions,
    }
}

/// Where systemd mounts version 2 beside version 1.
const HYBRID: &str = "unified";
/// How long a record may wait, and shutdown go unnoticed, in milliseconds.
const PATIENCE: u16 = 50;
