//! What a Gateway runs in: pure text, from the Gateway and what it is customised with.
//!
//! It does not look at the cluster.
//!
//! **Invariant:** the same Gateway and parameters give the same objects; nothing of the controller
//! but the image and the addresses it was told is in them, so that exchanging the controller
//! replaces no pod.

mod deployment;
mod others;
mod pod;

use gateway_api::experimental::gateways::Gateway;
use serde_json::Value;

use crate::{
    control::{
        kind::{CLUSTER_ROLE_BINDING, Target},
        merge,
        run::Settings,
    },
    mesh::label::MANAGED,
};

use super::{
    names::{MANAGED_BY, Names},
    parameters::{Overlays, Part},
};

/// An object to be there.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rendered {
    /// Which.
    pub(super) target: Target,
    /// Its fields, without kind and name.
    pub(super) content: Value,
    /// Whether one that is somebody else's is as good.
    pub(super) shared: bool,
}

/// What objects are made with, besides the Gateway.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inputs<'a> {
    /// What the controller is told.
    pub(super) settings: &'a Settings,
    /// The Gateway's revision.
    pub(super) revision: &'a str,
    /// Customisations, the class's before the Gateway's own.
    pub(super) overlays: &'a [Overlays],
}

/// All objects of a Gateway.
pub(super) fn render(gateway: &Gateway, inputs: &Inputs<'_>) -> Result<Vec<Rendered>, String> {
    let names = Names::of(gateway);
    let mut all = Vec::new();
    for part in Part::ALL {
        let asked = inputs.overlays.iter().any(|overlays| overlays.get(part).is_some());
        if part.is_on_demand() && !asked {
            continue;
        }
        let base = match part {
            Part::ServiceAccount => others::service_account(&names),
            Part::Deployment => deployment::deployment(&names, inputs),
            Part::Service => others::service(&names)?,
            Part::Autoscaler => others::autoscaler(&names),
            Part::DisruptionBudget => others::disruption_budget(&names),
        };
        let name = match part {
            Part::ServiceAccount => names.account.clone(),
            _ => names.object.clone(),
        };
        let target = Target::whole(part.kind(), name);
        let content = customised(&target, &base, part, inputs.overlays)?;
        let shared = part == Part::ServiceAccount && Names::has_account_of_its_own(gateway);
        all.push(Rendered { target, content, shared });
    }
    let target = Target::whole(CLUSTER_ROLE_BINDING, names.binding());
    all.push(Rendered { target, content: others::binding(&names), shared: false });
    Ok(all)
}

/// The object with what people want of it.
fn customised(
    target: &Target,
    base: &Value,
    part: Part,
    overlays: &[Overlays],
) -> Result<Value, String> {
    let mut object = base.clone();
    for overlays in overlays {
        let Some(patch) = overlays.get(part) else { continue };
        let place = format!("{}: {}", overlays.origin, part.key());
        let mut merged =
            merge::merge(&object, patch).map_err(|cause| format!("{place}: {cause}"))?;
        if !keeps_what_is_ours(base, &mut merged, target) {
            return Err(format!("{place}: illegal metadata change"));
        }
        object = merged;
    }
    Ok(object)
}

/// Whether the object is still what it was called, whose it was and of whom; the names themselves
/// are taken away again, as they are not among the fields here.
fn keeps_what_is_ours(base: &Value, merged: &mut Value, target: &Target) -> bool {
    let mut take = |pointer: &str, field: &str| {
        let parent = merged.pointer_mut(pointer).and_then(Value::as_object_mut);
        parent.and_then(|parent| parent.remove(field))
    };
    let kept = [
        ("", "kind", target.kind.name.to_owned()),
        ("", "apiVersion", target.kind.api_version()),
        ("/metadata", "name", target.name.name.clone()),
        ("/metadata", "namespace", target.name.namespace.clone()),
    ];
    let named = kept.into_iter().all(|(parent, field, expected)| {
        take(parent, field).is_none_or(|found| found == expected.as_str())
    });
    let owner = "/metadata/ownerReferences";
    let managed = |object: &Value| {
        let labels = object.pointer("/metadata/labels")?;
        labels.get(MANAGED).filter(|value| *value == MANAGED_BY).cloned()
    };
    named && merged.pointer(owner) == base.pointer(owner) && managed(merged).is_some()
}

#[cfg(test)]
mod tests;
