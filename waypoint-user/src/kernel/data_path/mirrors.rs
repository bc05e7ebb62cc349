//! The mirrored maps together.

use aya::maps::{HashMap, LpmTrie, MapData};
use waypoint_common::{
    addr::Addr,
    admission::{Rule, RuleKey, SourceKey},
    map,
    redirect::{Destination, DestinationKey, InterfaceOfPod, PodOfInterface, Range},
};

use super::super::{
    Error,
    desired::{Desired, Network, Networks},
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
    networks: Mirror<LpmTrie<MapData, Addr, Range>, Network, Range>,
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
            networks: Mirror::new(map::WP_NET, maps::networks(pins)?)?,
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
        let left_out = self.leave_out(&desired.networks);
        let entries = self.destinations.apply(&wanted);
        // Without room for what is left out of a range nothing of it is captured that was not.
        left_out?;
        // And a range goes before what was left out of it.
        let mut wanted = desired.networks.all.clone();
        for (network, range) in self.networks.known().iter().filter(|(_, one)| !one.is_some()) {
            wanted.entry(*network).or_insert(*range);
        }
        self.networks.apply(&wanted)?;
        self.networks.apply(&desired.networks.all).and(entries)
    }

    /// Makes sure that what is left out of ranges is there before them; where there is no room,
    /// what is stale goes first.
    fn leave_out(&mut self, networks: &Networks) -> Result<(), Error> {
        if self.networks.add(&networks.exceptions).is_ok() {
            return Ok(());
        }
        let known = self.networks.known().clone().into_iter();
        let still = known.filter(|(network, _)| networks.all.contains_key(network));
        self.networks.apply(&still.collect())?;
        self.networks.add(&networks.exceptions)
    }

    /// How many destinations are captured or refused, without the probe's.
    pub(super) fn destinations(&self) -> usize {
        self.destinations.len().saturating_sub(probe::destinations().count())
    }
}
