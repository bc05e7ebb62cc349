//! PeerAuthentications (Istio `pilot/pkg/serviceregistry/ambient/policies.go`).
//!
//! The nearest level that says something counts: the workload's, the namespace's, the mesh's; of
//! several on one level the oldest.
//!
//! **Invariant:** one that cannot be understood, and has no good version, is strict.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    mesh::{
        label::Selector,
        object::{ObjectName, ObjectRef},
        report::Report,
        workload::{Enrolment, MutualTls, Workload},
    },
    sync::{
        finding::{accepted, notice},
        objects::PeerAuthentication as Known,
        peer_authentication::{Mode, PeerAuthentication as Declared},
    },
};

use super::{invalid::Invalid, meta, pod_policies::selector, pods::Workloads, scene::Scene};

/// Completes workloads whose connections an agent takes.
pub(super) fn apply(scene: &Scene<'_>, workloads: &mut Workloads, report: &mut Report) {
    let levels = Levels::new(scene, report);
    for workload in workloads.values_mut() {
        if workload.enrolment == Enrolment::Enrolled {
            let mutual_tls = levels.of(workload, &scene.settings.root_namespace);
            if workload.mutual_tls != mutual_tls {
                Arc::make_mut(workload).mutual_tls = mutual_tls;
            }
        }
    }
}

/// Selector and ports.
pub(super) fn check(declared: &Declared) -> Result<(), Invalid> {
    let spec = &declared.spec;
    let selector = selector(spec.selector.as_ref())?;
    for port in spec.port_level_mtls.keys() {
        number(port)?;
    }
    if selector.requirements.is_empty() && !spec.port_level_mtls.is_empty() {
        return Err(Invalid::field("spec.portLevelMtls", "it needs a selector"));
    }
    Ok(())
}

/// One object, as far as it counts.
#[derive(Debug)]
struct Rule {
    name: ObjectName,
    selector: Selector,
    /// Nothing known of its age counts as young.
    created: (bool, i64),
    mode: Mode,
    ports: Vec<(u16, Mode)>,
}

/// Objects by level and namespace, the one that counts first.
struct Levels {
    of_workloads: BTreeMap<String, Vec<Rule>>,
    of_namespaces: BTreeMap<String, Vec<Rule>>,
}

impl Levels {
    fn new(scene: &Scene<'_>, report: &mut Report) -> Self {
        let mut levels = Self { of_workloads: BTreeMap::new(), of_namespaces: BTreeMap::new() };
        for (name, known) in &scene.objects.peer_authentications {
            let rule = rule(name, known, report);
            let level = if rule.selector.requirements.is_empty() {
                &mut levels.of_namespaces
            } else {
                &mut levels.of_workloads
            };
            level.entry(name.namespace.clone()).or_default().push(rule);
        }
        let all = levels.of_workloads.values_mut().chain(levels.of_namespaces.values_mut());
        all.for_each(|rules| rules.sort_by_key(|rule| (rule.created, rule.name.clone())));
        for rules in levels.of_namespaces.values() {
            if let [first, younger @ ..] = rules.as_slice() {
                for rule in younger {
                    superseded(rule, &first.name, report);
                }
            }
        }
        levels
    }

    fn of(&self, workload: &Workload, root: &str) -> MutualTls {
        let home = &workload.name.namespace;
        let matches = |rule: &&Rule| rule.selector.matches(&workload.labels);
        let own = self.of_workloads.get(home).and_then(|rules| rules.iter().find(matches));
        let namespace = |name: &str| self.of_namespaces.get(name).and_then(|rules| rules.first());
        let mode = [own, namespace(home), namespace(root)]
            .into_iter()
            .flatten()
            .map(|rule| rule.mode)
            .find(|mode| *mode != Mode::Unset);
        let strict = mode == Some(Mode::Strict);
        let ports = own.map_or(&[][..], |rule| &rule.ports).iter();
        let differs =
            |(_, mode): &&(u16, Mode)| *mode != Mode::Unset && (*mode == Mode::Strict) != strict;
        let exceptions = ports.filter(differs).map(|(port, _)| *port).collect();
        MutualTls { strict, exceptions }
    }
}

fn rule(name: &ObjectName, known: &Known, report: &mut Report) -> Rule {
    let object = ObjectRef::new("PeerAuthentication", name.clone());
    match known {
        Known::Unread(declared) => Rule {
            name: name.clone(),
            selector: selector(declared.as_ref()).unwrap_or_default(),
            created: YOUNG,
            mode: Mode::Strict,
            ports: Vec::new(),
        },
        Known::Read(declared) => {
            let spec = &declared.spec;
            let mode = spec.mtls.as_ref().map(|mtls| mtls.mode).unwrap_or_default();
            let ports: Vec<_> = spec
                .port_level_mtls
                .iter()
                .filter_map(|(port, mtls)| Some((number(port).ok()?, mtls.mode)))
                .collect();
            report.add(object.clone(), accepted("Accepted", "attached to ztunnel"));
            if mode == Mode::Disable || ports.iter().any(|(_, mode)| *mode == Mode::Disable) {
                let message = "mode DISABLE is the same as PERMISSIVE in the ambient mode";
                report.add(object, notice("DisableIsPermissive", message));
            }
            let created = declared.metadata.creation_timestamp.as_ref();
            Rule {
                name: name.clone(),
                selector: selector(spec.selector.as_ref()).unwrap_or_default(),
                created: created.map_or(YOUNG, |time| (false, time.0.as_second())),
                mode,
                ports,
            }
        }
    }
}

/// Says that an older one counts.
fn superseded(rule: &Rule, by: &ObjectName, report: &mut Report) {
    let object = ObjectRef::new("PeerAuthentication", rule.name.clone());
    let message = format!("{by} is older and counts for the whole namespace");
    report.add(object, notice("Superseded", message));
}

/// A port, as a key of a map.
fn number(port: &str) -> Result<u16, Invalid> {
    let number: Option<i64> = port.parse().ok();
    let wrong = || Invalid::field("spec.portLevelMtls", format!("{port:?} is not a port"));
    number.and_then(|number| meta::port(number).ok()).ok_or_else(wrong)
}

/// The age of what has none: younger than everything.
const YOUNG: (bool, i64) = (true, 0);
