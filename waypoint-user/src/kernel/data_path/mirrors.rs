//! The three mirrored maps together.

use aya::maps::{HashMap, MapData};
use waypoint_common::{
    addr::Addr,
    map,
    redirect::{Destination, DestinationKey, InterfaceOfPod, PodOfInterface},
};

use super::super::{
    Error, desired::Desired, enrolment::Tables, maps, mirror::Mirror, pins::Pins, probe,
};

type HashMirror<K, V> = Mirror<HashMap<MapData, K, V>, K, V>;

/// The maps that follow Snapshots.
pub(super) struct Mirrors {
    destinations: HashMirror<DestinationKey, Destination>,
    pods: HashMirror<u32, PodOfInterface>,
    interfaces: HashMirror<Addr, InterfaceOfPod>,
}

impl Mirrors {
    /// Opens the maps, with what an earlier process left in them.
    pub(super) fn open(pins: &Pins) -> Result<Self, Error> {
        Ok(Self {
            destinations: Mirror::new(map::WP_DST, maps::destinations(pins)?)?,
            pods: Mirror::new(map::IF_POD, maps::pods(pins)?)?,
            interfaces: Mirror::new(map::POD_IF, maps::interfaces(pins)?)?,
        })
    }

    /// Makes the maps of pods equal to what is wanted: the way back first, then the way in.
    pub(super) fn apply_pods(&mut self, tables: &Tables) -> Result<(), Error> {
        let back = self.interfaces.apply(&tables.interfaces);
        self.pods.apply(&tables.pods).and(back)
    }

    /// Makes the captured destinations equal to what is wanted, and to what the probe dials.
    pub(super) fn apply_destinations(&mut self, desired: &Desired) -> Result<(), Error> {
        let mut wanted = desired.destinations.clone();
        wanted.extend(probe::destinations());
        self.destinations.apply(&wanted)
    }

    /// How many destinations are captured or refused, without the probe's.
    pub(super) fn destinations(&self) -> usize {
        self.destinations.len().saturating_sub(probe::destinations().count())
    }
}
