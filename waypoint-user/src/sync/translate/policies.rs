//! AuthorizationPolicies.
//!
//! It judges no request; that is `policy`'s.
//!
//! **Invariant:** what is not understood of a policy never makes it permit more.

use std::collections::BTreeMap;

use crate::{
    mesh::{
        condition::{Condition, WAYPOINT_ACCEPTED, ZTUNNEL_ACCEPTED},
        label::DRY_RUN,
        object::{ObjectName, ObjectRef},
        policy::{Action, AuthorizationPolicy, PolicyRule, PolicyTarget},
        report::{Finding, Report, Severity},
    },
    sync::{
        authorization::{Action as Declared, AuthorizationPolicy as Policy, Spec, TargetRef},
        finding::{error, notice, warning},
        objects::{Policy as Known, Targets},
    },
};

use super::{
    invalid::Invalid, meta, operations, pod_policies, policy_targets, routes::Services,
    scene::Scene,
};

/// The policies that are attached to something.
pub(super) fn translate(
    scene: &Scene<'_>,
    services: &Services,
    report: &mut Report,
) -> BTreeMap<ObjectName, AuthorizationPolicy> {
    let mut policies = BTreeMap::new();
    for (name, known) in &scene.objects.policies {
        let object = ObjectRef::new("AuthorizationPolicy", name.clone());
        let translated = match known {
            Known::Read(policy) => read(scene, services, &object, policy, report),
            Known::Unread(targets) => Some(unread(scene, services, &object, targets, report)),
        };
        if let Some(policy) = translated.filter(|policy| !policy.targets.is_empty()) {
            policies.insert(name.clone(), policy);
        }
    }
    policies
}

/// The rules of a policy of the namespace, in the terms of the mesh.
pub(super) fn rules(namespace: &str, spec: &Spec) -> Result<Vec<PolicyRule>, Invalid> {
    if spec.selector.is_some() && !targets(spec).is_empty() {
        return Err(Invalid::new("selector and targetRefs exclude each other"));
    }
    pod_policies::selector(spec.selector.as_ref())?;
    spec.rules.iter().enumerate().map(|(at, rule)| operations::rule(namespace, at, rule)).collect()
}

fn read(
    scene: &Scene<'_>,
    services: &Services,
    object: &ObjectRef,
    declared: &Policy,
    report: &mut Report,
) -> Option<AuthorizationPolicy> {
    let spec = &declared.spec;
    let references = targets(spec);
    if references.is_empty() {
        return pod_policies::read(object, declared, report);
    }
    let action = match spec.action {
        Declared::Allow => Action::Allow,
        Declared::Deny | Declared::Custom => Action::Deny,
        Declared::Audit => {
            let message = "action AUDIT is not supported yet; it denies nothing anyway";
            tell(object, (WAYPOINT_ACCEPTED, false), notice("Unsupported", message), report);
            return None;
        }
    };
    let custom = (spec.action == Declared::Custom).then(|| {
        let provider = spec.provider.as_ref().map_or("", |provider| provider.name.as_str());
        let message = format!("action CUSTOM: no provider \"{provider}\"; it denies everything");
        error("UnsupportedAction", message)
    });
    let rules = if let Some(finding) = &custom {
        report.add(object.clone(), finding.clone());
        everything()
    } else {
        let rules = rules(&object.name.namespace, spec).unwrap_or_else(|_| everything());
        tell_unsupported(object, action, &rules, report);
        rules
    };
    let targets = policy_targets::resolve(scene, services, object, references, report);
    if let Some(finding) = custom {
        // Bound or not, it is not what was asked for.
        tell(object, (WAYPOINT_ACCEPTED, false), finding, report);
    }
    let dry_run = meta::annotations(&declared.metadata).get(DRY_RUN);
    Some(AuthorizationPolicy {
        name: object.name.clone(),
        action,
        targets,
        rules,
        dry_run: dry_run.is_some_and(|value| meta::is_true(value)),
    })
}

/// A policy that is not understood: it denies everything to its targets, which is nothing to call
/// accepted.
fn unread(
    scene: &Scene<'_>,
    services: &Services,
    object: &ObjectRef,
    targets: &Targets,
    report: &mut Report,
) -> AuthorizationPolicy {
    let namespace = PolicyTarget::Namespace(object.name.namespace.clone());
    let targets = match targets {
        Targets::Known(references) => {
            let mut found = Report::default();
            let targets = policy_targets::resolve(scene, services, object, references, &mut found);
            for (object, finding) in found.iter().filter(|(_, one)| !is_accepted(one)) {
                report.add(object.clone(), finding.clone());
            }
            targets
        }
        Targets::Unknown => vec![namespace],
        Targets::Pods(selector) => vec![pod_policies::unread(selector.as_ref())],
        Targets::Everything => vec![namespace, pod_policies::unread(None)],
    };
    let kinds: &[&'static str] = match targets.as_slice() {
        [PolicyTarget::Pods(_)] => &[ZTUNNEL_ACCEPTED],
        [_, .., PolicyTarget::Pods(_)] => &[WAYPOINT_ACCEPTED, ZTUNNEL_ACCEPTED],
        _ => &[WAYPOINT_ACCEPTED],
    };
    for kind in kinds.iter().copied() {
        report.set(object.clone(), Condition::new(kind, false, "Invalid", NOT_UNDERSTOOD));
    }
    AuthorizationPolicy {
        name: object.name.clone(),
        action: Action::Deny,
        targets,
        rules: everything(),
        dry_run: false,
    }
}

/// What the policy is attached to; the older field counts only without the newer.
fn targets(spec: &Spec) -> &[TargetRef] {
    match (spec.target_refs.as_slice(), &spec.target_ref) {
        ([], Some(one)) => std::slice::from_ref(one),
        (many, _) => many,
    }
}

/// Tells of attributes that are not supported, and what they do to their rules.
fn tell_unsupported(object: &ObjectRef, action: Action, rules: &[PolicyRule], report: &mut Report) {
    let then = match action {
        Action::Allow => "the rule permits nothing",
        Action::Deny => "the rule denies as if it were absent",
    };
    for (index, rule) in rules.iter().enumerate() {
        for attribute in &rule.unsupported {
            let message = format!("spec.rules[{index}]: {attribute} is not supported yet; {then}");
            report.add(object.clone(), warning("UnsupportedValue", message));
        }
    }
}

/// Tells of a policy as a whole: by a finding, and by a condition that says the same.
pub(super) fn tell(
    object: &ObjectRef,
    (kind, holds): (&'static str, bool),
    finding: Finding,
    report: &mut Report,
) {
    report.set(object.clone(), Condition::new(kind, holds, &*finding.reason, &*finding.message));
    report.add(object.clone(), finding);
}

fn is_accepted(finding: &Finding) -> bool {
    finding.severity == Severity::Accepted
}

/// The message of a policy of which there is no good version.
const NOT_UNDERSTOOD: &str = "it is not understood and denies everything to its targets";

/// One rule that every request matches.
pub(super) fn everything() -> Vec<PolicyRule> {
    vec![PolicyRule::default()]
}
