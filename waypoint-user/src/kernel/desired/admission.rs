//! Whose connections to this node's pods are counted or refused.
//!
//! **Invariant:** a set of addresses has the same number in every Snapshot, so that a pod's rule
//! never names another pod's set while the maps change.

use std::{collections::HashMap, net::IpAddr};

use waypoint_common::{
    addr::Addr,
    admission::{Rule, RuleKey, SourceKey, mode, rule_flag},
};

use crate::mesh::workload::{Admission, AdmissionMode, Workload};

/// What the maps of admission should hold.
#[derive(Clone, Debug, Default)]
pub(in crate::kernel) struct Admissions {
    /// Entries of `admit`.
    pub(in crate::kernel) rules: HashMap<RuleKey, Rule>,
    /// Entries of `admit_src`.
    pub(in crate::kernel) sources: HashMap<SourceKey, u32>,
}

impl Admissions {
    /// Adds what is asked of connections to a workload.
    pub(super) fn add(&mut self, workload: &Workload) {
        let admission = &workload.admission;
        if admission.mode == AdmissionMode::Off && !admission.mutual_tls {
            return;
        }
        let set = self.intern(&admission.sources);
        let rule = rule(admission, set);
        let open = Rule { mode: mode::OFF, ..rule };
        for address in &workload.addresses {
            let address = Addr::from(address.to_canonical());
            self.rules.insert(RuleKey::new(address, EVERY_PORT), rule);
            for port in admission.exempt_ports.iter().filter(|port| **port != EVERY_PORT) {
                self.rules.insert(RuleKey::new(address, port.to_be()), open);
            }
        }
    }

    /// The number of a set, which depends on its addresses alone (FNV-1a, 64 bits).
    fn intern(&mut self, sources: &[IpAddr]) -> u64 {
        let mut addresses: Vec<Addr> =
            sources.iter().map(|source| Addr::from(source.to_canonical())).collect();
        addresses.sort_unstable_by_key(Addr::octets);
        addresses.dedup();
        let bytes = addresses.iter().flat_map(Addr::octets);
        let set = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        self.sources.extend(addresses.into_iter().map(|addr| (SourceKey { set, addr }, 0)));
        set
    }
}

fn rule(admission: &Admission, set: u64) -> Rule {
    Rule {
        mode: match admission.mode {
            AdmissionMode::Off => mode::OFF,
            AdmissionMode::Count => mode::COUNT,
            AdmissionMode::Strict => mode::STRICT,
        },
        flags: if admission.mutual_tls { rule_flag::MUTUAL_TLS } else { 0 },
        pad: [0; 6],
        set,
    }
}

const EVERY_PORT: u16 = 0;

#[cfg(test)]
mod tests;
