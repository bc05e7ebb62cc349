//! What happens to traffic whose waypoint is missing: whose word counts.
//!
//! It does not act on it; `kernel` and `proxy` do.

use crate::mesh::binding::{Binding, FailMode};

/// The fail modes that bear on one destination, each as its annotation says.
#[derive(Clone, Copy, Debug, Default)]
pub struct FailModes {
    /// The Service's own; a workload has none.
    pub service: FailMode,
    /// Its namespace's.
    pub namespace: FailMode,
    /// That of the Gateway which is asked for.
    pub gateway: FailMode,
}

impl FailModes {
    /// The mode that counts: the nearest that is set.
    pub fn effective(self) -> FailMode {
        [self.service, self.namespace, self.gateway]
            .into_iter()
            .find(|mode| *mode != FailMode::Unset)
            .unwrap_or_default()
    }

    /// Whether connections to the destination are refused when nothing serves its waypoint.
    ///
    /// With no mode set, that is so where a policy applies to the destination; but a waypoint that
    /// was refused serves nothing in the first place, and then only `closed` refuses.
    pub fn closed(self, binding: &Binding, policy_applies: bool) -> bool {
        match self.effective() {
            FailMode::Open => false,
            FailMode::Closed => !matches!(binding, Binding::Direct),
            FailMode::Unset => matches!(binding, Binding::Bound(_)) && policy_applies,
        }
    }
}

/// Parses the annotation's value.
pub fn parse_fail_mode(word: &str) -> Option<FailMode> {
    match word {
        "open" => Some(FailMode::Open),
        "closed" => Some(FailMode::Closed),
        _ => None,
    }
}
