//! Typed handles on the pinned maps.
//!
//! What is written into them is decided elsewhere.

use std::path::PathBuf;

use aya::maps::{
    Array, HashMap, LpmTrie, Map, MapData, MapError, PerCpuArray, PerCpuHashMap, RingBuf, SockMap,
};
use waypoint_common::{
    ABI,
    addr::Addr,
    admission::{Bypass, Rule, RuleKey, SourceKey},
    counter::Count,
    map,
    redirect::{
        Config, Destination, DestinationKey, InterfaceOfPod, PodOfInterface, Range, config_flag,
    },
};

use super::{Error, agent_netns::Inner, pins::Pins};

/// Captured destinations.
pub(super) fn destinations(
    pins: &Pins,
) -> Result<HashMap<MapData, DestinationKey, Destination>, Error> {
    hash(pins, map::WP_DST)
}

/// Captured ranges, and what is left out of them.
pub(super) fn networks(pins: &Pins) -> Result<LpmTrie<MapData, Addr, Range>, Error> {
    Map::LpmTrie(open(pins, map::WP_NET)?).try_into().map_err(Error::map(map::WP_NET))
}

/// Enrolled pods by interface.
pub(super) fn pods(pins: &Pins) -> Result<HashMap<MapData, u32, PodOfInterface>, Error> {
    hash(pins, map::IF_POD)
}

/// Interfaces by pod address.
pub(super) fn interfaces(pins: &Pins) -> Result<HashMap<MapData, Addr, InterfaceOfPod>, Error> {
    hash(pins, map::POD_IF)
}

/// Which connections to pods are counted or refused.
pub(super) fn rules(pins: &Pins) -> Result<HashMap<MapData, RuleKey, Rule>, Error> {
    hash(pins, map::ADMIT)
}

/// Whose connections are neither.
pub(super) fn sources(pins: &Pins) -> Result<HashMap<MapData, SourceKey, u32>, Error> {
    hash(pins, map::ADMIT_SRC)
}

/// Control groups that may always connect.
pub(super) fn exempt_cgroups(pins: &Pins) -> Result<HashMap<MapData, u64, u32>, Error> {
    hash(pins, map::EXEMPT_CG)
}

/// Addresses of the node, from which its own processes may always connect.
pub(super) fn exempt_addresses(pins: &Pins) -> Result<HashMap<MapData, Addr, u32>, Error> {
    hash(pins, map::EXEMPT_SRC)
}

/// Connections that pass waypoints by.
pub(super) fn bypassing(pins: &Pins) -> Result<PerCpuHashMap<MapData, Bypass, u64>, Error> {
    let map = open(pins, map::BYPASSING)?;
    Map::PerCpuLruHashMap(map).try_into().map_err(Error::map(map::BYPASSING))
}

/// Listener slots.
pub(super) fn slots(pins: &Pins) -> Result<SockMap<MapData>, Error> {
    Map::SockMap(open(pins, map::LSN)?).try_into().map_err(Error::map(map::LSN))
}

/// Counters by reason.
pub(super) fn stats(pins: &Pins) -> Result<PerCpuArray<MapData, Count>, Error> {
    Map::PerCpuArray(open(pins, map::STATS)?).try_into().map_err(Error::map(map::STATS))
}

/// Sampled events.
pub(super) fn events(pins: &Pins) -> Result<RingBuf<MapData>, Error> {
    Map::RingBuf(open(pins, map::EVENTS)?).try_into().map_err(Error::map(map::EVENTS))
}

/// Connections of enrolled pods.
pub(super) fn flows(pins: &Pins) -> Result<RingBuf<MapData>, Error> {
    Map::RingBuf(open(pins, map::FLOWS)?).try_into().map_err(Error::map(map::FLOWS))
}

/// The configuration of the programs.
pub(super) struct Configuration {
    array: Array<MapData, Config>,
    written: Config,
}

impl Configuration {
    /// The configuration as it is in the kernel; `None` when the map is not pinned yet.
    pub(super) fn open(pins: &Pins) -> Result<Option<Self>, Error> {
        if !pins.map(map::CFG).exists() {
            return Ok(None);
        }
        let array: Array<MapData, Config> =
            Map::Array(open(pins, map::CFG)?).try_into().map_err(Error::map(map::CFG))?;
        let written = array.get(&0, 0).map_err(Error::map(map::CFG))?;
        Ok(Some(Self { array, written }))
    }

    /// The configuration, which must be pinned.
    pub(super) fn of_pins(pins: &Pins) -> Result<Self, Error> {
        Self::open(pins)?.ok_or(Error::Object(map::CFG))
    }

    /// What is in force.
    pub(super) fn current(&self) -> &Config {
        &self.written
    }

    /// Says where the agent is, and which programs belong to it.
    pub(super) fn place(&mut self, place: Place, programs: u64) -> Result<(), Error> {
        let flags = self.written.flags;
        self.write(Config {
            abi: ABI,
            agent_if: place.agent_if,
            agent_nsid: place.agent_nsid,
            flags,
            programs,
            inner_if: place.inner.ifindex,
            inner_address: place.inner.address,
            reserve: [0; 30],
        })
    }

    /// Lets new connections pass the agent by, or not.
    pub(super) fn bypass(&mut self, bypass: bool) -> Result<(), Error> {
        self.set_flag(config_flag::BYPASS, bypass)
    }

    /// Says whether the kubelet is known by its control group.
    pub(super) fn knows_cgroups(&mut self, known: bool) -> Result<(), Error> {
        self.set_flag(config_flag::KNOWS_CGROUPS, known)
    }

    fn set_flag(&mut self, flag: u32, is_set: bool) -> Result<(), Error> {
        let others = self.written.flags & !flag;
        let flags = if is_set { others | flag } else { others };
        self.write(Config { flags, ..self.written })
    }

    fn write(&mut self, config: Config) -> Result<(), Error> {
        if config != self.written {
            self.array.set(0, config, 0).map_err(Error::map(map::CFG))?;
            self.written = config;
        }
        Ok(())
    }
}

/// Where the agent's namespace is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Place {
    /// The host's end of the agent's veth.
    pub(super) agent_if: u32,
    /// The other end.
    pub(super) inner: Inner,
    /// The agent's namespace, as the host's numbers it.
    pub(super) agent_nsid: i32,
}

fn hash<K: aya::Pod, V: aya::Pod>(
    pins: &Pins,
    name: &'static str,
) -> Result<HashMap<MapData, K, V>, Error> {
    Map::HashMap(open(pins, name)?).try_into().map_err(Error::map(name))
}

fn open(pins: &Pins, name: &'static str) -> Result<MapData, Error> {
    let path: PathBuf = pins.map(name);
    MapData::from_pin(path).map_err(Error::map::<MapError>(name))
}
