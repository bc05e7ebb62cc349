//! The enrolled pods of this node: where they are, which number they have, and `from_pod` and
//! `to_pod` on each.
//!
//! It does not know what is captured, and writes no map itself: [`Enrolment::tables`] says what the
//! maps should hold.
//!
//! **Invariant:** a pod that is no longer enrolled opens no captured connection from that moment
//! on, but its captured connections live: the programs stay until the last one ended.
//! **Invariant:** what an earlier process enrolled keeps its numbers, and its captured connections
//! live as well.
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
pub(super) use left::Left;

mod left;

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
    /// Pods of an earlier process that were not found again.
    left: Vec<Left>,
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
        Self { pins, programs, attached, left: Vec::new(), refusals, slots, reattached }
    }

    /// Remembers the pods of an earlier process, in the place of those that were remembered, until
    /// they are [disowned](Self::disown) or their last connection has ended.
    pub(super) fn inherit(&mut self, left: Vec<Left>) {
        let known = |pod: &Left| self.attached.values().any(|one| one.slot == pod.slot());
        self.left = left.into_iter().filter(|pod| !known(pod)).collect();
        for pod in &self.left {
            self.slots.adopt(pod.slot());
        }
    }

    /// Forgets those pods of an earlier process that were not found again.
    pub(super) fn disown(&mut self) {
        for pod in std::mem::take(&mut self.left) {
            self.slots.give_back(pod.slot());
        }
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

    /// Whether a pod waits for its last connection.
    pub(super) fn is_waiting(&self) -> bool {
        !self.left.is_empty() || self.attached.values().any(|attached| !attached.enrolled)
    }

    /// Detaches from pods that wait for their last connection, if it is not among the open ones.
    pub(super) fn let_go(&mut self, open: &HashMap<IpAddr, usize>) {
        let waiting = self.attached.iter().filter(|(_, attached)| !attached.enrolled);
        let ended = waiting.filter(|(_, attached)| {
            !attached.pod.addresses.iter().any(|address| open.contains_key(address))
        });
        let ended: Vec<ObjectName> = ended.map(|(name, _)| name.clone()).collect();
        for name in &ended {
            self.detach(name);
        }
        let is_open = |pod: &Left| pod.addresses().any(|address| open.contains_key(&address));
        for pod in self.left.extract_if(.., |pod| !is_open(pod)).collect::<Vec<_>>() {
            if !self.is_known(pod.ifindex()) {
                self.unpin(pod.ifindex());
                tracing::info!(slot = pod.slot(), "detached from a pod of an earlier process");
            }
            self.slots.give_back(pod.slot());
        }
    }

    /// Takes the programs off a pod's interface.
    pub(super) fn detach(&mut self, name: &ObjectName) {
        let Some(attached) = self.attached.remove(name) else { return };
        self.unpin(attached.interface.ifindex);
        self.slots.give_back(attached.slot);
        tracing::info!(pod = %name, interface = attached.interface.name, "detached from pod");
    }

    fn unpin(&self, ifindex: u32) {
        for program in PROGRAMS {
            if let Err(cause) = attachment::detach(&self.pins.pod_link(program, ifindex)) {
                tracing::warn!(ifindex, %cause, "the link of a pod's program stays pinned");
            }
        }
    }

    /// Whether a pod, or one of an earlier process, is on an interface.
    fn is_known(&self, ifindex: u32) -> bool {
        self.attached.values().any(|known| known.interface.ifindex == ifindex)
            || self.left.iter().any(|pod| pod.ifindex() == ifindex)
    }

    /// Takes programs off interfaces of which nothing is known.
    pub(super) fn detach_strays(&self, keep: Option<u32>) -> Result<(), Error> {
        let known = |ifindex| keep == Some(ifindex) || self.is_known(ifindex);
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
        // First, so that they give way to whoever has their interface or address now.
        self.left.iter().for_each(|pod| pod.add_to(&mut tables));
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

    /// The pods that are enrolled and have the programs, with their uids.
    pub(super) fn captured(&self) -> BTreeMap<ObjectName, Arc<str>> {
        let enrolled = self.attached.iter().filter(|(_, attached)| attached.enrolled);
        enrolled.map(|(name, attached)| (name.clone(), Arc::clone(&attached.pod.uid))).collect()
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
        let Some(netns) = &pod.netns else { return self.keep(name, pod).await };
        let interface = pods::locate(netns, &pod.addresses).await;
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
        self.attach(&interface).await.map_err(|cause| cause.to_string())?;
        let mut attached = Attached::new(pod.clone(), interface, 0);
        attached.slot = self.slot_for(&attached).ok_or("every pod number is in use")?;
        attached.netns = attached.open_netns();
        let (interface, slot) = (&attached.interface.name, attached.slot);
        tracing::info!(pod = %name, interface, slot, "attached to pod");
        self.attached.insert(name.clone(), attached);
        Ok(())
    }

    /// Keeps a pod of which no process is found: the last may have ended before the next begins,
    /// and its link with all else stays.
    async fn keep(&mut self, name: &ObjectName, pod: &Pod) -> Result<(), String> {
        let attached = self.attached.get(name).filter(|attached| attached.pod.uid == pod.uid);
        let Some(interface) = attached.map(|attached| attached.interface.clone()) else {
            // If another pod had the name, it is gone.
            self.detach(name);
            return Err(NOT_FOUND.to_owned());
        };
        let kept = self.attach(&interface).await;
        kept.inspect_err(|_| self.detach(name)).map_err(|cause| cause.to_string())
    }

    /// The number that the pod had in an earlier process, else a free one.
    fn slot_for(&mut self, attached: &Attached) -> Option<u16> {
        let (ifindex, record) = (attached.interface.ifindex, attached.record());
        let found = self.left.iter().position(|pod| pod.is(ifindex, &record));
        found.map(|index| self.left.remove(index).slot()).or_else(|| self.slots.take())
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
        self.open().is_some_and(|now| now.inode() == netns.inode())
    }

    /// Its namespace, while it is known and has a file.
    fn open(&self) -> Option<Netns> {
        Netns::open(&self.netns.as_ref()?.path()).ok()
    }
}

impl Attached {
    /// The namespace that the interface leads into.
    fn open_netns(&self) -> Option<Arc<Netns>> {
        let netns = self.pod.open()?;
        (netns.inode() == self.interface.netns_inode).then(|| Arc::new(netns))
    }

    fn add_to(&self, tables: &mut Tables) {
        let (record, head) = (self.record(), head(self.interface.head));
        let PodOfInterface { pod_id, flags, .. } = record;
        let interface = InterfaceOfPod { ifindex: self.interface.ifindex, pod_id, flags, head };
        for address in &self.pod.addresses {
            tables.interfaces.insert(Addr::from(address.to_canonical()), interface);
        }
        tables.pods.insert(self.interface.ifindex, record);
    }

    /// The pod as `if_pod` has it.
    fn record(&self) -> PodOfInterface {
        let flags = match (self.enrolled, self.pod.client) {
            (true, true) => TAKES_TUNNELS | pod_flag::CLIENT,
            (true, false) => TAKES_TUNNELS,
            (false, _) => pod_flag::ANTI_SPOOF,
        };
        let (mut v4, mut v6) = ([0; 4], [0; 16]);
        for address in &self.pod.addresses {
            match address.to_canonical() {
                IpAddr::V4(address) => v4 = address.octets(),
                IpAddr::V6(address) => v6 = address.octets(),
            }
        }
        let (slot, pod_id) = (self.slot, u32::from(self.slot));
        PodOfInterface { pod_id, flags, v4, v6, slot, pad: 0 }
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
const NOT_FOUND: &str = "none of its processes is seen on this node, so its network namespace is \
    not found; the agent needs the node's process ids (hostPID) and CAP_SYS_PTRACE, or annotation \
    waypoint.dev/netns";
const PROGRAMS: [&str; 2] = [program::FROM_POD, program::TO_POD];
