//! Connections of enrolled pods, as the `watch` program tells of them.
//!
//! It sees every connection whose socket is in the cgroup, captured or not, and touches none.
//!
//! **Invariant:** the program is attached for as long as this process watches, and no longer.

use std::{
    fs::File,
    io,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use aya::{
    Ebpf,
    maps::{MapData, RingBuf},
    programs::{CgroupAttachMode, SockOps},
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::watch,
};
use waypoint_common::{
    map, program,
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

/// The program on a cgroup, and what it tells.
pub struct Flows {
    ring: AsyncFd<RingBuf<MapData>>,
    /// Holds the program and its link.
    _object: Ebpf,
}

impl Flows {
    /// Attaches the program to a cgroup of version 2.
    pub(super) fn attach(pins: &Pins, cgroup: &Path) -> Result<Self, Error> {
        let directory = File::open(cgroup).map_err(Error::file(cgroup))?;
        let mut object = object::load(pins)?;
        let failed = Error::program(program::WATCH);
        let watch = object.program_mut(program::WATCH).ok_or(Error::Object(program::WATCH))?;
        let watch: &mut SockOps = watch.try_into().map_err(&failed)?;
        watch.load().map_err(&failed)?;
        watch.attach(directory, CgroupAttachMode::AllowMultiple).map_err(&failed)?;
        let ring = maps::flows(pins)?;
        let ring = AsyncFd::with_interest(ring, Interest::READABLE);
        let ring = ring.map_err(|source| Error::File { path: PathBuf::from(map::FLOWS), source })?;
        Ok(Self { ring, _object: object })
    }

    /// Describes and counts connections, and hands them to whoever looks, until it is dropped.
    pub async fn follow(
        mut self,
        snapshots: watch::Receiver<Arc<Snapshot>>,
        registry: Registry,
        hub: Hub,
    ) {
        let describe = Describe::new(snapshots, &registry);
        while let Ok(flows) = self.next().await {
            for flow in flows {
                describe.tell(&flow, &hub);
            }
        }
    }

    /// Waits for records, and takes all that are there.
    async fn next(&mut self) -> io::Result<Vec<Flow>> {
        let mut guard = self.ring.readable_mut().await?;
        let ring = guard.get_inner_mut();
        let mut flows = Vec::new();
        while let Some(entry) = ring.next() {
            flows.extend(record::Flow::read(&entry).map(read));
            if flows.len() >= AT_ONCE_MAX {
                return Ok(flows);
            }
        }
        guard.clear_ready();
        Ok(flows)
    }
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

/// Records that are handled before others get their turn.
const AT_ONCE_MAX: usize = 512;
