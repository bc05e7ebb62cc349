//! A second waypoint that takes a share of a Service's connections (Istio 1.32,
//! `use-waypoint-canary`).
//!
//! It needs a waypoint beside it that can be used; what is wrong with the second never touches the
//! first.

use crate::mesh::{
    binding::{Canary, Refusal, RefusalReason},
    label::{CANARY, CANARY_NAMESPACE, CANARY_WEIGHT, Labels, NO_WAYPOINT, USE_WAYPOINT},
    object::ObjectName,
    service::Service,
};

use super::bind::Mesh;

/// What a Service and its namespace say of a second waypoint.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// The Service's namespace.
    pub namespace: &'a str,
    /// The Service's labels.
    pub labels: &'a Labels,
    /// The Service's annotations.
    pub annotations: &'a Labels,
    /// Its namespace's annotations.
    pub namespace_annotations: &'a Labels,
}

/// A second waypoint that was asked for and is not used.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CanaryRefusal {
    /// The waypoint that was asked for.
    pub waypoint: ObjectName,
    /// Why it is not used.
    pub reason: CanaryReason,
}

/// Why a second waypoint is not used.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CanaryReason {
    /// It could not be the first one either.
    Unusable(RefusalReason),
    /// It is the first one.
    SameAsPrimary,
    /// Its share is not a number from 0 to 100.
    InvalidWeight(String),
}

impl CanaryRefusal {
    /// The reason, as one word.
    pub const fn reason(&self) -> &'static str {
        match self.reason {
            CanaryReason::Unusable(reason) => reason.as_str(),
            CanaryReason::SameAsPrimary => "CanarySameAsPrimary",
            CanaryReason::InvalidWeight(_) => "CanaryInvalidWeight",
        }
    }

    /// What is wrong, in a sentence.
    pub fn message(&self) -> String {
        let waypoint = &self.waypoint;
        match &self.reason {
            CanaryReason::Unusable(reason) => {
                Refusal { waypoint: waypoint.clone(), reason: *reason }.message()
            }
            CanaryReason::SameAsPrimary => {
                format!("canary waypoint \"{waypoint}\" is the primary waypoint")
            }
            CanaryReason::InvalidWeight(weight) => {
                format!("{CANARY_WEIGHT}: {weight:?} is not an integer from 0 to {SHARES}")
            }
        }
    }
}

impl Mesh<'_> {
    /// The second waypoint of a Service that is bound to `primary`.
    ///
    /// A Service's own label goes before its namespace's, which is not looked at either where the
    /// Service names its first waypoint itself.
    pub fn canary(
        &self,
        asking: &Asking<'_>,
        primary: &ObjectName,
    ) -> Result<Option<Canary>, CanaryRefusal> {
        let Asking { namespace, labels, annotations, namespace_annotations } = *asking;
        let own = labels.contains_key(CANARY) || labels.contains_key(USE_WAYPOINT);
        let (labels, annotations) = if own {
            (labels, annotations)
        } else {
            (self.labels_of(namespace), namespace_annotations)
        };
        let Some(name) = labels.get(CANARY).filter(|name| *name != NO_WAYPOINT) else {
            return Ok(None);
        };
        let home = labels.get(CANARY_NAMESPACE).map_or(namespace, String::as_str);
        let waypoint = ObjectName::new(home, name);
        match self.share(&waypoint, namespace, primary, annotations) {
            Ok(weight) => Ok(Some(Canary { waypoint, weight })),
            Err(reason) => Err(CanaryRefusal { waypoint, reason }),
        }
    }

    /// The second waypoint's share, if it can be used.
    fn share(
        &self,
        name: &ObjectName,
        namespace: &str,
        primary: &ObjectName,
        annotations: &Labels,
    ) -> Result<u32, CanaryReason> {
        let waypoint = self.usable(name, namespace).map_err(CanaryReason::Unusable)?;
        if !waypoint.takes.takes_services() {
            return Err(CanaryReason::Unusable(RefusalReason::UnsupportedServiceTraffic));
        }
        if name == primary {
            return Err(CanaryReason::SameAsPrimary);
        }
        let Some(text) = annotations.get(CANARY_WEIGHT) else { return Ok(0) };
        let weight = text.parse().ok().filter(|weight| *weight <= SHARES);
        weight.ok_or_else(|| CanaryReason::InvalidWeight(text.clone()))
    }
}

/// The waypoint of one connection to a Service: the one that it is bound to, or by its share the
/// second one. `dice(n)` throws a number below `n`.
pub fn weighted<'s>(
    service: &'s Service,
    dice: &mut dyn FnMut(u32) -> u32,
) -> Option<&'s ObjectName> {
    let primary = service.binding.waypoint()?;
    match &service.canary {
        Some(canary) if canary.weight > 0 && dice(SHARES) < canary.weight => Some(&canary.waypoint),
        _ => Some(primary),
    }
}

/// Of how many connections a weight is the share.
const SHARES: u32 = 100;
