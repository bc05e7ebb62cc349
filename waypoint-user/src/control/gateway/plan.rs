//! What is to be written for all Gateways, and what to tell people, from the cluster as it is.
//!
//! It writes nothing: it is a function of what it is given.

use std::collections::{BTreeMap, BTreeSet};

use gateway_api::experimental::gateways::Gateway;
use k8s_openapi::{api::core::v1::ObjectReference, jiff::Timestamp};

use crate::{
    control::{
        desk::Wanted,
        events::Tale,
        kind::{CLUSTER_ROLE_BINDING, GATEWAY, Part, Target},
        run::Settings,
        writer::{self, Change, Claim},
    },
    mesh::{
        label::{MANAGED, WAYPOINT_CONTROLLER},
        object::{ObjectName, ObjectRef},
        report::Report,
    },
    sync::objects::Objects,
};

use super::{
    config_maps::Maps,
    live::There,
    names::{MANAGED_BY, NAME_OVERRIDE, Names},
    ours::{self, Runs},
    render::{Inputs, Rendered, render},
    status::{self, Attached, Facts, Refusal},
    warning,
};

/// The cluster as it is.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    /// What the controller is told.
    pub(super) settings: &'a Settings,
    /// The objects.
    pub(super) objects: &'a Objects,
    /// What there is to say of them.
    pub(super) report: &'a Report,
    /// What Gateways run in already.
    pub(super) there: &'a There,
    /// What they are customised with.
    pub(super) maps: &'a Maps,
    /// What could not be written.
    pub(super) troubles: &'a BTreeMap<Target, Trouble>,
}

/// Why something could not be written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Trouble {
    /// One word.
    pub(super) reason: &'static str,
    /// A sentence.
    pub(super) message: String,
    /// Whether a person must act.
    pub(super) needs_a_person: bool,
}

/// What to do.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// What is not so yet.
    pub(super) wanted: Vec<Wanted>,
    /// What to tell.
    pub(super) tales: Vec<Tale>,
    /// What is made, and for which Gateway.
    made: BTreeMap<Target, ObjectName>,
    /// Gateways of another revision, whose objects another controller sees to.
    others: BTreeSet<ObjectName>,
}

/// What to do for all Gateways.
pub(super) fn plan(scene: &Scene<'_>) -> Plan {
    let mut plan = Plan::default();
    let attached = Attached::of(scene.report);
    for (name, gateway) in &scene.objects.gateways {
        if ours::is_waypoint(scene.objects, gateway) {
            if ours::revision(scene.objects, gateway) == scene.settings.revision {
                plan.serve(scene, &attached, (name, gateway));
            } else {
                plan.others.insert(name.clone());
            }
        } else if is_foreign(scene.objects, gateway) {
            plan.sweep(scene, gateway, &BTreeSet::new());
        }
    }
    plan.sweep_bindings(scene);
    plan
}

/// Whether the Gateway's class is known to be another controller's.
fn is_foreign(objects: &Objects, gateway: &Gateway) -> bool {
    let class = ObjectName::cluster(&gateway.spec.gateway_class_name);
    let class = objects.gateway_classes.get(&class);
    class.is_some_and(|class| class.spec.controller_name != WAYPOINT_CONTROLLER)
}

impl Plan {
    /// What to do for one of ours.
    fn serve(
        &mut self,
        scene: &Scene<'_>,
        attached: &Attached<'_>,
        (name, gateway): (&ObjectName, &Gateway),
    ) {
        let runs = ours::runs(gateway);
        let judged = match runs {
            Runs::InPods => judge(scene, name, gateway),
            Runs::InAgents | Runs::Elsewhere => Some(listeners(scene, name).map(|()| Vec::new())),
        };
        // What is not known yet will be, soon.
        let Some(judged) = judged else {
            self.made.insert(binding(gateway), name.clone());
            return;
        };
        let lacking = match &judged {
            Ok(objects) => self.build(scene, name, gateway, objects),
            Err(refusal) => {
                let told = warning(reference(gateway), refusal.reason(), refusal.message());
                self.tales.push(told);
                self.made.insert(binding(gateway), name.clone());
                None
            }
        };
        let facts = Facts {
            objects: scene.objects,
            cluster_domain: &scene.settings.mesh.cluster_domain,
            runs,
            refusal: judged.as_ref().err(),
            trouble: lacking.as_ref().map(|trouble| trouble.message.as_str()),
            attached,
        };
        if let Some(content) = status::due(gateway, &facts, Timestamp::now()) {
            let target = Target::status(GATEWAY, name.clone());
            self.wanted.push(Wanted::new(target, Change::Apply { content, claim: Claim::Ours }));
        }
    }

    /// What a Gateway runs in, and nothing else; says what it lacks that somebody must act on.
    fn build(
        &mut self,
        scene: &Scene<'_>,
        name: &ObjectName,
        gateway: &Gateway,
        objects: &[Rendered],
    ) -> Option<Trouble> {
        let names = objects.iter().map(|object| object.target.clone()).collect();
        let mut lacking = self.make(scene, name, objects);
        self.sweep(scene, gateway, &names);
        let mut told: Vec<_> = lacking.iter().cloned().collect();
        for Rendered { target, .. } in objects.iter().filter(|one| !one.shared) {
            let Some(trouble) = scene.troubles.get(target).filter(|one| one.needs_a_person) else {
                continue;
            };
            told.push(trouble.clone());
            // What is there serves, though not as it is written now.
            if scene.there.get(target).is_none() {
                lacking.get_or_insert_with(|| trouble.clone());
            }
        }
        for Trouble { reason, message, .. } in told {
            self.tales.push(warning(reference(gateway), reason, &message));
        }
        lacking
    }

    /// Objects that are not there, or not so; says when one is made for another Gateway already.
    fn make(
        &mut self,
        scene: &Scene<'_>,
        name: &ObjectName,
        objects: &[Rendered],
    ) -> Option<Trouble> {
        let mut taken = None;
        for Rendered { target, content, shared } in objects {
            if let Some(other) = self.made.get(target) {
                if !shared {
                    taken = Some(made_already(target, other));
                }
                continue;
            }
            self.made.insert(target.clone(), name.clone());
            let there = scene.there.get(target);
            if there.is_some_and(|live| writer::is_settled(live, content, Part::Whole)) {
                continue;
            }
            let claim = Claim::Labelled(MANAGED, MANAGED_BY);
            let change = Change::Apply { content: content.clone(), claim };
            self.wanted.push(Wanted::new(target.clone(), change));
        }
        taken
    }

    /// Bindings of Gateways that need none: no Gateway can own them.
    fn sweep_bindings(&mut self, scene: &Scene<'_>) {
        for (target, uid, gateway) in scene.there.bindings() {
            if !self.made.contains_key(&target) && !self.others.contains(&gateway) {
                let uid = uid.to_owned();
                self.wanted.push(Wanted::new(target, Change::Delete { uid }));
            }
        }
    }

    /// Objects of the Gateway that are not among these.
    fn sweep(&mut self, scene: &Scene<'_>, gateway: &Gateway, kept: &BTreeSet<Target>) {
        let meta = &gateway.metadata;
        let (Some(namespace), Some(uid)) = (&meta.namespace, &meta.uid) else { return };
        for (target, uid) in scene.there.of(namespace, uid) {
            if !kept.contains(&target) {
                let uid = uid.to_owned();
                self.wanted.push(Wanted::new(target, Change::Delete { uid }));
            }
        }
    }
}

/// The objects of a Gateway, or why there are none; nothing while that is not known.
fn judge(
    scene: &Scene<'_>,
    name: &ObjectName,
    gateway: &Gateway,
) -> Option<Result<Vec<Rendered>, Refusal>> {
    if let Err(refusal) = listeners(scene, name) {
        return Some(Err(refusal));
    }
    let overlays = match scene.maps.overlays(gateway)? {
        Ok(overlays) => overlays,
        Err(cause) => return Some(Err(Refusal::Parameters(cause))),
    };
    let inputs = Inputs {
        settings: scene.settings,
        revision: &scene.settings.revision,
        overlays: &overlays,
    };
    Some(render(gateway, &inputs).map_err(Refusal::Parameters))
}

/// Says that an object is made for another Gateway.
fn made_already(target: &Target, other: &ObjectName) -> Trouble {
    let message = format!(
        "{target} is made for Gateway {other} already; give one of them another {NAME_OVERRIDE}"
    );
    Trouble { reason: "NameTaken", message, needs_a_person: true }
}

/// The binding of a Gateway.
fn binding(gateway: &Gateway) -> Target {
    Target::whole(CLUSTER_ROLE_BINDING, Names::of(gateway).binding())
}

/// Whether the listeners are valid, as enforcement has it.
fn listeners(scene: &Scene<'_>, name: &ObjectName) -> Result<(), Refusal> {
    let object = ObjectRef::new(GATEWAY.name, name.clone());
    let mut findings = scene.report.of(&object);
    match findings.find(|finding| finding.reason == status::LISTENERS_NOT_VALID) {
        Some(finding) => Err(Refusal::Listeners(finding.message.clone())),
        None => Ok(()),
    }
}

/// The Gateway, as Events refer to it.
fn reference(gateway: &Gateway) -> ObjectReference {
    let meta = &gateway.metadata;
    ObjectReference {
        api_version: Some(GATEWAY.api_version()),
        kind: Some(GATEWAY.name.to_owned()),
        name: meta.name.clone(),
        namespace: meta.namespace.clone(),
        uid: meta.uid.clone(),
        ..ObjectReference::default()
    }
}

#[cfg(test)]
mod tests;
