//! What people want of the objects that a waypoint runs in: ConfigMaps whose values are patches.
//!
//! It reads their text; which ones count is `gateway`'s, and merging is `merge`'s.

use std::{collections::BTreeMap, fmt};

use serde_json::Value;

use crate::control::kind::{
    AUTOSCALER, DEPLOYMENT, DISRUPTION_BUDGET, Kind, SERVICE, SERVICE_ACCOUNT,
};

/// A part of what a waypoint runs in.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub(super) enum Part {
    /// Who its pods are.
    ServiceAccount,
    /// Its pods.
    Deployment,
    /// Where it is reached.
    Service,
    /// How many pods it has.
    Autoscaler,
    /// How many it may lose.
    DisruptionBudget,
}

impl Part {
    /// All parts, in the order in which they are made.
    pub(super) const ALL: [Self; 5] = [
        Self::ServiceAccount,
        Self::Deployment,
        Self::Service,
        Self::Autoscaler,
        Self::DisruptionBudget,
    ];

    /// The key of a ConfigMap that is about it.
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::ServiceAccount => "serviceAccount",
            Self::Deployment => "deployment",
            Self::Service => "service",
            Self::Autoscaler => "horizontalPodAutoscaler",
            Self::DisruptionBudget => "podDisruptionBudget",
        }
    }

    /// Its kind.
    pub(super) const fn kind(self) -> Kind {
        match self {
            Self::ServiceAccount => SERVICE_ACCOUNT,
            Self::Deployment => DEPLOYMENT,
            Self::Service => SERVICE,
            Self::Autoscaler => AUTOSCALER,
            Self::DisruptionBudget => DISRUPTION_BUDGET,
        }
    }

    /// Whether it is there only when a ConfigMap has its key.
    pub(super) const fn is_on_demand(self) -> bool {
        matches!(self, Self::Autoscaler | Self::DisruptionBudget)
    }
}

/// The patches of one ConfigMap.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Overlays {
    /// What they are from, for messages.
    pub(super) origin: String,
    patches: BTreeMap<Part, Value>,
}

impl Overlays {
    /// Reads a ConfigMap's values.
    pub(super) fn read(
        origin: impl fmt::Display,
        values: &BTreeMap<String, String>,
    ) -> Result<Self, String> {
        let mut overlays = Self { origin: origin.to_string(), patches: BTreeMap::new() };
        for (key, text) in values {
            let Some(part) = Part::ALL.into_iter().find(|part| part.key() == key) else {
                let known = Part::ALL.map(Part::key).join(", ");
                return Err(format!("{origin}: key {key} is none of {known}"));
            };
            let patch: Value = serde_saphyr::from_str_with_options(text, options())
                .map_err(|cause| format!("{origin}: {key}: {}", first_line(&cause.to_string())))?;
            let patch = if patch.is_null() { Value::Object(serde_json::Map::new()) } else { patch };
            overlays.patches.insert(part, patch);
        }
        Ok(overlays)
    }

    /// The patch of a part, if there is one.
    pub(super) fn get(&self, part: Part) -> Option<&Value> {
        self.patches.get(&part)
    }
}

/// Words that are truth values only to YAML 1.1 stay words, as in manifests.
fn options() -> serde_saphyr::Options {
    serde_saphyr::options! { strict_booleans: true }
}

/// The first line of a message, so that a condition's stays one.
fn first_line(message: &str) -> &str {
    message.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests;
