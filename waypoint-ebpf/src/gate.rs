//! The maps of admission, and [`Gate`] over them.

use aya_ebpf::{
    bindings::BPF_F_NO_PREALLOC,
    helpers::bpf_skb_cgroup_id,
    macros::map,
    maps::{HashMap, LruPerCpuHashMap},
};
use waypoint_common::{
    addr::Addr,
    admission::{Bypass, Gate, Rule, RuleKey, SourceKey, limit},
    counter::Reason,
    redirect::{Segment, config_flag},
};

use crate::maps::{self, KernelTables};

#[map(name = "admit")]
static ADMIT: HashMap<RuleKey, Rule> = HashMap::with_max_entries(limit::ADMIT, BPF_F_NO_PREALLOC);
#[map(name = "admit_src")]
static ADMIT_SRC: HashMap<SourceKey, u32> =
    HashMap::with_max_entries(limit::ADMIT_SRC, BPF_F_NO_PREALLOC);
#[map(name = "exempt_cg")]
static EXEMPT_CG: HashMap<u64, u32> =
    HashMap::with_max_entries(limit::EXEMPT_CG, BPF_F_NO_PREALLOC);
#[map(name = "exempt_src")]
static EXEMPT_SRC: HashMap<Addr, u32> =
    HashMap::with_max_entries(limit::EXEMPT_SRC, BPF_F_NO_PREALLOC);
#[map(name = "bypassing")]
static BYPASSING: LruPerCpuHashMap<Bypass, u64> =
    LruPerCpuHashMap::with_max_entries(limit::BYPASSING, 0);

impl Gate for KernelTables<'_> {
    #[inline(always)]
    fn rule(&self, key: &RuleKey) -> Option<Rule> {
        // SAFETY: the map is made with BPF_F_NO_PREALLOC, so an element is freed only after this
        // program has ended, and the agent replaces elements as a whole; it is copied at once.
        unsafe { ADMIT.get(key) }.copied()
    }

    #[inline(always)]
    fn is_source(&self, key: &SourceKey) -> bool {
        // SAFETY: as above; nothing of the element is read.
        unsafe { ADMIT_SRC.get(key) }.is_some()
    }

    /// Only a socket of the node's own namespace still belongs to a control group here: a packet
    /// that crossed a veth has forgotten its socket.
    #[inline(always)]
    fn is_exempt(&self, segment: &Segment) -> bool {
        // SAFETY: the context of a tcx program is valid for as long as the program runs.
        let cgroup = unsafe { bpf_skb_cgroup_id(self.ctx().skb.skb) };
        if cgroup == 0 {
            return false;
        }
        if maps::config().is_some_and(|config| config.flags & config_flag::KNOWS_CGROUPS != 0) {
            // SAFETY: as in `is_source`.
            unsafe { EXEMPT_CG.get(cgroup) }.is_some()
        } else {
            // SAFETY: as in `is_source`.
            unsafe { EXEMPT_SRC.get(&segment.source) }.is_some()
        }
    }
}

/// Whether connections to an address could be refused.
#[inline(always)]
pub(crate) fn refuses(address: Addr) -> bool {
    // SAFETY: as in `rule`; the element is replaced as a whole.
    unsafe { ADMIT.get(RuleKey::new(address, 0)) }.is_some_and(Rule::refuses)
}

/// Counts a connection that passes its destination's waypoints by; a function of its own to the
/// kernel, so as to have a stack of its own.
#[inline(never)]
pub(crate) fn note(segment: &Segment, reason: Reason) {
    let Segment { source, destination, .. } = *segment;
    let key = Bypass { source, destination, reason: reason as u32 };
    match BYPASSING.get_ptr_mut(&key) {
        // SAFETY: the element is this CPU's own, and at worst another's for a moment, when it made
        // room for it.
        Some(count) => unsafe { *count += 1 },
        None => {
            // Without room nothing is lost but a count.
            let _ = BYPASSING.insert(&key, &1, 0);
        }
    }
}
