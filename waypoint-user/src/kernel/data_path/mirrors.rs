//! The mirrored maps together.

use aya::maps::{HashMap, MapData};
use waypoint_common::{
    addr::Addr,
    admission::{Rule, RuleKey, SourceKey},
    map,
    redirect::{Destination, DestinationKey, InterfaceOfPod, PodOfInterface},
};

use super::super::{
    Error,
    desired::Desired,
    enrolment::{Left, Tables},
    exempt::Exempt,
    maps,
    mirror::Mirror,
    pins::Pins,
    probe,
};

type HashMirror<K, V> = Mirror<HashMap<MapData, K, V>, K, V>;

/// The maps that follow Snapshots.
pub(super) struct Mirrors {
    destinations: HashMirror<DestinationKey, Destination>,
    pods: HashMirror<u32, PodOfInterface>,
    interfaces: HashMirror<Addr, InterfaceOfPod>,
    rules: HashMirror<RuleKey, Rule>,
    sources: HashMirror<SourceKey, u32>,
    exempt_cgroups: HashMirror<u64, u32>,
    exempt_addresses: HashMirror<Addr, u32>,
}

impl Mirrors {
    /// Opens the maps, with what an earlier process left in them.
    pub(super) fn open(pins: &Pins) -> Result<Self, Error> {
        Ok(Self {
            destinations: Mirror::new(map::WP_DST, maps::destinations(pins)?)?,
            pods: Mirror::new(map::IF_POD, maps::pods(pins)?)?,
            interfaces: Mirror::new(map::POD_IF, maps::interfaces(pins)?)?,
            rules: Mirror::new(map::ADMIT, maps::rules(pins)?)?,
            sources: Mirror::new(map::ADMIT_SRC, maps::sources(pins)?)?,
            exempt_cgroups: Mirror::new(map::EXEMPT_CG, maps::exempt_cgroups(pins)?)?,
            exempt_addresses: Mirror::new(map::EXEMPT_SRC, maps::exempt_addresses(pins)?)?,
        })
    }

    /// The pods that an earlier process left in the maps.
    pub(super) fn left(&self) -> Vec<Left> {
        Left::read(self.pods.known(), self.interfaces.known())
    }

    /// Makes the maps of pods equal to what is wanted: the way back first, then the way in.
    pub(super) fn apply_pods(&mut self, tables: &Tables) -> Result<(), Error> {
        let back = self.interfaces.apply(&tables.interfaces);
        self.pods.apply(&tables.pods).and(back)
    }

    /// Makes the rules of admission equal to what is wanted: a set is whole before a rule names it,
    /// and stays until none does.
    pub(super) fn apply_admissions(&mut self, desired: &Desired) -> Result<(), Error> {
        let wanted = &desired.admissions;
        self.sources.add(&wanted.sources)?;
        self.rules.apply(&wanted.rules)?;
        self.sources.apply(&wanted.sources)
    }

    /// Makes the exemptions equal to what was found.
    pub(super) fn apply_exempt(&mut self, found: &Exempt) -> Result<(), Error> {
        let cgroups = self.exempt_cgroups.apply(&found.cgroups);
        self.exempt_addresses.apply(&found.addresses).and(cgroups)
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
