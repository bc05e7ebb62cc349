//! Pods that an earlier process enrolled, as the maps tell of them.
//!
//! The earlier process may live, and may have captured connections of pods that are not enrolled
//! any more; it knows pods by the numbers in the maps.
//!
//! **Invariant:** a number that was found in the maps is kept by the pod that has it: the same
//! addresses on the same interface. No other pod gets it while the pod is remembered.

use std::{collections::HashMap, net::IpAddr};

use waypoint_common::{
    addr::Addr,
    redirect::{InterfaceOfPod, PROBE_SLOT, PodOfInterface, pod_flag},
};

use super::Tables;

/// One such pod.
#[derive(Clone, Debug)]
pub(in super::super) struct Left {
    ifindex: u32,
    pod: PodOfInterface,
    interfaces: Vec<(Addr, InterfaceOfPod)>,
}

impl Left {
    /// All pods in the maps but the self-probe's.
    pub(in super::super) fn read(
        pods: &HashMap<u32, PodOfInterface>,
        interfaces: &HashMap<Addr, InterfaceOfPod>,
    ) -> Vec<Self> {
        let pods = pods.iter().filter(|(_, pod)| pod.slot != PROBE_SLOT);
        let left = |(ifindex, pod): (&u32, &PodOfInterface)| {
            let own = interfaces.iter().filter(|(_, interface)| interface.ifindex == *ifindex);
            let interfaces = own.map(|(address, interface)| (*address, *interface)).collect();
            Self { ifindex: *ifindex, pod: *pod, interfaces }
        };
        pods.map(left).collect()
    }

    /// Its number.
    pub(super) fn slot(&self) -> u16 {
        self.pod.slot
    }

    /// Its interface.
    pub(super) fn ifindex(&self) -> u32 {
        self.ifindex
    }

    /// Whether a pod on an interface is this one.
    pub(super) fn is(&self, ifindex: u32, pod: &PodOfInterface) -> bool {
        (self.ifindex, self.pod.v4, self.pod.v6) == (ifindex, pod.v4, pod.v6)
    }

    /// Its addresses.
    pub(super) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.interfaces.iter().map(|(address, _)| IpAddr::from(*address))
    }

    /// What the maps should hold for the sake of its captured connections; it opens no more.
    pub(super) fn add_to(&self, tables: &mut Tables) {
        let flags = pod_flag::ANTI_SPOOF;
        tables.pods.insert(self.ifindex, PodOfInterface { flags, ..self.pod });
        for (address, interface) in &self.interfaces {
            tables.interfaces.insert(*address, InterfaceOfPod { flags, ..*interface });
        }
    }
}

#[cfg(test)]
mod tests;
