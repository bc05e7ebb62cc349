//! The enrolled pods of this node: where they are, which number they have, and `from_pod` and
//! `to_pod` on each.
//!
//! It does not know what is captured, and writes no map itself: [`Enrolment::tables`] says what the
//! maps should hold.
//!
//! **Invariant:** a pod that is no longer enrolled opens no captured connection from that moment
//! on, but its captured connections live: the programs stay until the last one ended.
//! **Invariant:** a namespace is not held open when its file is gone, so that a deleted pod goes
//! entirely.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use waypoint_common::{
    addr::Addr,
    program,
    redirect::{InterfaceOfPod, PodOfInterface, pod_flag},
};

use super::{
    Error,
    attachment::{self, Found},
    desired::Pod,
    instances::Instances,
    netns::Netns,
    pins::{self, Pins},
    pods::{self, PodInterface},
    slots::Slots,
};
use crate::mesh::{object::ObjectName, request::Origin};

/// What the maps of pods should hold.
#[derive(Debug, Default)]
pub(super) struct Tables {
    /// Entries of `if_pod`.
    pub(super) pods: HashMap<u32, PodOfInterface>,
    /// Entries of `pod_if`.
    pub(super) interfaces: HashMap<Addr, InterfaceOfPod>,
}

/// The enrolled pods of this node.
#[derive(Debug)]
pub(super) struct Enrolment {
    pins: Pins,
    programs: Vec<Instances>,
    attached: BTreeMap<ObjectName, Attached>,
    refusals: BTreeMap<ObjectName, String>,
    slots: Slots,
    reattached: Arc<AtomicU64>,
}

/// A pod that has the programs on its interface.
#[derive(Clone, Debug)]
pub(super) struct Attached {
    pod: Pod,
    interface: PodInterface,
    slot: u16,
    /// Its namespace, while it has a file.
    netns: Option<Arc<Netns>>,
    /// Whether its new connections are captured; otherwise it only waits for the last one to end.
    enrolled: bool,
}

impl Attached {
    /// A pod on an interface, under a number.
    pub(super) fn new(pod: Pod, interface: PodInterface, slot: u16) -> Self {
        Self { pod, interface, slot, netns: None, enrolled: true }
    }
}

impl Enrolment {
    /// No pods yet; `programs` belong on each of them, and `reattached` counts how often another
    /// program got ahead of one.
    pub(super) fn new(pins: Pins, programs: Vec<Instances>, reattached: Arc<AtomicU64>) -> Self {
        let (attached, refusals, slots) = (BTreeMap::new(), BTreeMap::new(), Slots::default());
        Self { pins, programs, attached, refusals, slots, reattached }
    }

    /// Follows a change of what is wanted or, with `links_changed`, of the host's links. A pod that
    /// cannot be found is logged once, and looked for again at the next call.
    pub(super) async fn reconcile(
        &mut self,
        wanted: &BTreeMap<ObjectName, Pod>,
        links_changed: bool,
    ) {
        self.refusals.retain(|name, _| wanted.contains_key(name));
        for (name, attached) in &mut self.attached {
            attached.enrolled = wanted.contains_key(name);
        }
        for (name, pod) in wanted {
            let known = self.attached.get(name).is_some_and(|attached| attached.pod == *pod);
            if known && !links_changed {
                continue;
            }
            match self.enrol(name, pod).await {
                Ok(()) => {
                    self.refusals.remove(name);
                }
                Err(reason) => self.refuse(name, reason),
            }
        }
    }

    /// Makes sure that the programs are still first on every interface, and lets go of namespaces
    /// that lost their files.
    pub(super) async fn verify(&mut self) {
        for attached in self.attached.values_mut() {
            attached.netns = attached.netns.take().filter(|netns| attached.pod.is_in(netns));
        }
        let names: Vec<ObjectName> = self.attached.keys().cloned().collect();
        for name in names {
            let Some(attached) = self.attached.get(&name).cloned() else { continue };
            if let Err(cause) = self.attach(&attached.interface).await {
                self.detach(&name);
                self.refuse(&name, cause.to_string());
            }
        }
    }

    /// Addresses of pods that wait for their last connection.
    pub(super) fn waiting(&self) -> Vec<(ObjectName, Vec<IpAddr>)> {
        let waiting = self.attached.iter().filter(|(_, attached)| !attached.enrolled);
        waiting.map(|(name, attached)| (name.clone(), attached.pod.addresses.clone())).collect()
    }

    /// Takes the programs off a pod's interface.
    pub(super) fn detach(&mut self, name: &ObjectName) {
        let Some(attached) = self.attached.remove(name) else { return };
        for program in PROGRAMS {
            let pin = self.pins.pod_link(program, attached.interface.ifindex);
            if let Err(cause) = attachment::detach(&pin) {
                tracing::warn!(pod = %name, %cause, "the pod's link stays pinned");
            }
        }
        self.slots.give_back(attached.slot);
        tracing::info!(pod = %name, interface = attached.interface.name, "detached from pod");
    }

    /// Takes programs off interfaces of which nothing is known: those of an earlier process.
    pub(super) fn detach_strays(&self, keep: Option<u32>) -> Result<(), Error> {
        let known = |ifindex| {
            keep == Some(ifindex)
                || self.attached.values().any(|known| known.interface.ifindex == ifindex)
        };
        for name in PROGRAMS {
            pins::remove(&pins::fresh(&self.pins.pod_link(name, 0)))?;
            let is_used = self.programs.iter().any(|program| program.name() == name);
            for ifindex in self.pins.pod_links(name)? {
                if !is_used || !known(ifindex) {
                    attachment::detach(&self.pins.pod_link(name, ifindex))?;
                }
            }
        }
        Ok(())
    }

    /// Attaches the programs to an interface, or makes sure that they are first there.
    pub(super) async fn attach(&mut self, interface: &PodInterface) -> Result<(), Error> {
        for program in &mut self.programs {
            let pin = self.pins.pod_link(program.name(), interface.ifindex);
            match attachment::ensure_at_head(program, &interface.name, &pin).await? {
                Found::AtHead | Found::Absent => {}
                Found::Behind => {
                    self.reattached.fetch_add(1, Ordering::Relaxed);
                    let (interface, program) = (&interface.name, program.name());
                    tracing::warn!(interface, program, "another program was ahead; re-attached");
                }
            }
        }
        Ok(())
    }

    /// What the maps should hold; `probe` is a pod of our own.
    pub(super) fn tables(&self, probe: Option<&Attached>) -> Tables {
        let mut tables = Tables::default();
        for attached in self.attached.values().chain(probe) {
            attached.add_to(&mut tables);
        }
        tables
    }

    /// Which pod each number stands for.
    pub(super) fn origins(&self) -> HashMap<u16, Origin> {
        let origin =
            |(name, attached): (&ObjectName, &Attached)| (attached.slot, Origin::Pod(name.clone()));
        self.attached.iter().map(origin).collect()
    }

    /// The namespaces of pods, by name.
    pub(super) fn namespaces(&self) -> HashMap<ObjectName, Arc<Netns>> {
        let open = |(name, attached): (&ObjectName, &Attached)| {
            Some((name.clone(), Arc::clone(attached.netns.as_ref()?)))
        };
        self.attached.iter().filter_map(open).collect()
    }

    /// How many pods have the programs on their interface.
    pub(super) fn len(&self) -> usize {
        self.attached.len()
    }

    async fn enrol(&mut self, name: &ObjectName, pod: &Pod) -> Result<(), String> {
        let interface = pods::locate(&pod.netns, &pod.addresses).await;
        let interface = match interface {
            Ok(interface) => interface,
            Err(cause) => {
                self.detach(name);
                return Err(cause.to_string());
            }
        };
        if let Some(attached) = self.attached.get_mut(name) {
            if attached.interface.is(&interface) {
                attached.pod = pod.clone();
                attached.interface = interface.clone();
                attached.netns = attached.netns.take().or_else(|| attached.open_netns());
                return self.attach(&interface).await.map_err(|cause| cause.to_string());
            }
            // Made again, under the same name: the old interface is gone with its connections.
            self.detach(name);
        }
        let slot = self.slots.take().ok_or("every pod number is in use")?;
        if let Err(cause) = self.attach(&interface).await {
            self.slots.give_back(slot);
            return Err(cause.to_string());
        }
        tracing::info!(pod = %name, interface = interface.name, slot, "attached to pod");
        let mut attached = Attached::new(pod.clone(), interface, slot);
        attached.netns = attached.open_netns();
        self.attached.insert(name.clone(), attached);
        Ok(())
    }

    fn refuse(&mut self, name: &ObjectName, reason: String) {
        if self.refusals.get(name) != Some(&reason) {
            tracing::warn!(pod = %name, reason, "the pod's connections are not captured");
            self.refusals.insert(name.clone(), reason);
        }
    }
}

impl Pod {
    /// Whether this is still the pod's namespace, and no leftover of it.
    fn is_in(&self, netns: &Netns) -> bool {
        Netns::open(&self.netns.path()).is_ok_and(|now| now.inode() == netns.inode())
    }
}

impl Attached {
    /// The namespace that the interface leads into.
    fn open_netns(&self) -> Option<Arc<Netns>> {
        let netns = Netns::open(&self.pod.netns.path()).ok()?;
        (netns.inode() == self.interface.netns_inode).then(|| Arc::new(netns))
    }

    fn add_to(&self, tables: &mut Tables) {
        let flags = match (self.enrolled, self.pod.client) {
            (true, true) => TAKES_TUNNELS | pod_flag::CLIENT,
            (true, false) => TAKES_TUNNELS,
            (false, _) => pod_flag::ANTI_SPOOF,
        };
        let head = head(self.interface.head);
        let (ifindex, slot) = (self.interface.ifindex, self.slot);
        let pod_id = u32::from(slot);
        let (mut v4, mut v6) = ([0; 4], [0; 16]);
        for address in &self.pod.addresses {
            match address.to_canonical() {
                IpAddr::V4(address) => v4 = address.octets(),
                IpAddr::V6(address) => v6 = address.octets(),
            }
            let interface = InterfaceOfPod { ifindex, pod_id, flags, head };
            tables.interfaces.insert(Addr::from(address.to_canonical()), interface);
        }
        tables.pods.insert(ifindex, PodOfInterface { pod_id, flags, v4, v6, slot, pad: 0 });
    }
}

/// Hardware addresses, as the record has them.
fn head(bytes: [u8; 12]) -> [u32; 3] {
    let (words, _) = bytes.as_chunks();
    let mut head = [0; 3];
    for (to, from) in head.iter_mut().zip(words) {
        *to = u32::from_ne_bytes(*from);
    }
    head
}

const TAKES_TUNNELS: u32 = pod_flag::ANTI_SPOOF | pod_flag::INBOUND;
const PROGRAMS: [&str; 2] = [program::FROM_POD, program::TO_POD];
