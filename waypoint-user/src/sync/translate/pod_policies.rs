//! AuthorizationPolicies without targets: for pods by their labels, judged at the pods' own node
//! (Istio `pilot/pkg/serviceregistry/ambient/authorization.go`).
//!
//! Unlike Istio, which never tells a node of CUSTOM policies, one denies everything to its pods:
//! there is nobody to ask, and a policy that cannot be followed does not permit.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    mesh::{
        condition::ZTUNNEL_ACCEPTED,
        label::{DRY_RUN, Selector},
        object::ObjectRef,
        policy::{Action, AuthorizationPolicy, PolicyRule, PolicyTarget},
        report::{Finding, Report},
    },
    sync::{
        authorization::{Action as Declared, AuthorizationPolicy as Policy, Rule},
        finding::{accepted, error, notice, warning},
    },
};

use super::{
    invalid::Invalid,
    meta,
    policies::{everything, rules, tell},
};

/// The pods that a selector (Istio `WorkloadSelector`) means; all of them if there is none.
pub(super) fn selector(declared: Option<&Value>) -> Result<Selector, Invalid> {
    let wrong = |what: &str| Invalid::field("spec.selector", what);
    let fields = match declared {
        None | Some(Value::Null) => return Ok(Selector::default()),
        Some(Value::Object(fields)) => fields,
        Some(_) => return Err(wrong("not a map")),
    };
    if let Some(other) = fields.keys().find(|key| *key != MATCH_LABELS) {
        return Err(wrong(&format!("{other} is not known here")));
    }
    let labels = match fields.get(MATCH_LABELS) {
        None | Some(Value::Null) => return Ok(Selector::default()),
        Some(Value::Object(labels)) => labels,
        Some(_) => return Err(wrong("matchLabels is not a map")),
    };
    let pair = |(key, value): (&String, &Value)| {
        let value = value.as_str().ok_or_else(|| wrong(&format!("{key} is not text")))?;
        Ok((key.clone(), value.to_owned()))
    };
    let labels = labels.iter().map(pair).collect::<Result<_, Invalid>>()?;
    Ok(Selector::equals(&labels))
}

/// The pods of a policy that was not understood; all of them if its selector was not either.
pub(super) fn unread(declared: Option<&Value>) -> PolicyTarget {
    PolicyTarget::Pods(selector(declared).unwrap_or_default())
}

/// A policy that was understood.
pub(super) fn read(
    object: &ObjectRef,
    declared: &Policy,
    report: &mut Report,
) -> Option<AuthorizationPolicy> {
    let spec = &declared.spec;
    let action = match spec.action {
        Declared::Allow => Action::Allow,
        Declared::Deny | Declared::Custom => Action::Deny,
        Declared::Audit => {
            let message = "ztunnel does not support the AUDIT action; it denies nothing anyway";
            tell(object, (ZTUNNEL_ACCEPTED, false), notice("UnsupportedValue", message), report);
            return None;
        }
    };
    let rules = if spec.action == Declared::Custom {
        let message = "ztunnel does not support the CUSTOM action; it denies everything";
        tell(object, (ZTUNNEL_ACCEPTED, false), error("UnsupportedAction", message), report);
        everything()
    } else {
        let rules = rules(&object.name.namespace, spec).unwrap_or_else(|_| everything());
        let (holds, finding) = finding(action, &spec.rules, &rules);
        tell(object, (ZTUNNEL_ACCEPTED, holds), finding, report);
        rules
    };
    let dry_run = meta::annotations(&declared.metadata).get(DRY_RUN);
    Some(AuthorizationPolicy {
        name: object.name.clone(),
        action,
        targets: vec![unread(spec.selector.as_ref())],
        rules,
        dry_run: dry_run.is_some_and(|value| meta::is_true(value)),
    })
}

/// What becomes of the policy where there are no requests: whether it has any effect, and which.
fn finding(action: Action, declared: &[Rule], rules: &[PolicyRule]) -> (bool, Finding) {
    let found: BTreeSet<&str> = declared.iter().flat_map(http_attributes).collect();
    let others = rules.iter().flat_map(|rule| &rule.unsupported);
    let others: BTreeSet<&str> =
        others.map(String::as_str).filter(|name| !found.contains(name)).collect();
    if let Some(other) = others.first() {
        let then = match action {
            Action::Allow => "its rules permit nothing",
            Action::Deny => "its rules deny as if it were absent",
        };
        let message = format!("{other} is not supported yet; {then}");
        return (true, warning("UnsupportedValue", message));
    }
    if found.is_empty() {
        return (true, accepted("Accepted", "attached to ztunnel"));
    }
    let has_effect = action == Action::Allow || declared.iter().any(has_rest);
    let then = match action {
        Action::Allow => {
            "Within an ALLOW policy, rules matching HTTP attributes are omitted. \
             This will be more restrictive than requested."
        }
        Action::Deny if has_effect => {
            "Within a DENY policy, rules are enforced without their HTTP attributes. \
             This will be more restrictive than requested."
        }
        Action::Deny => {
            "Within a DENY policy, no enforceable rules are left. The policy has no effect."
        }
    };
    let found = found.into_iter().collect::<Vec<_>>().join(", ");
    let message = format!(
        "ztunnel does not support HTTP attributes (found: {found}). In ambient mode you must use \
         a waypoint proxy to enforce HTTP rules. {then}"
    );
    (has_effect, warning("UnsupportedValue", message))
}

/// The attributes of a rule that only requests have.
fn http_attributes(rule: &Rule) -> Vec<&str> {
    let mut found = Vec::new();
    for from in rule.from.iter().flatten() {
        let source = &from.source;
        found.extend(present(&[
            ("requestPrincipals", &source.request_principals),
            ("notRequestPrincipals", &source.not_request_principals),
            ("remoteIpBlocks", &source.remote_ip_blocks),
            ("notRemoteIpBlocks", &source.not_remote_ip_blocks),
        ]));
    }
    for to in rule.to.iter().flatten() {
        let operation = &to.operation;
        found.extend(present(&[
            ("hosts", &operation.hosts),
            ("notHosts", &operation.not_hosts),
            ("methods", &operation.methods),
            ("notMethods", &operation.not_methods),
            ("paths", &operation.paths),
            ("notPaths", &operation.not_paths),
        ]));
    }
    let conditions = rule.when.iter().flatten().map(|when| when.key.as_str());
    found.extend(conditions.filter(|key| !is_of_connection(key)));
    found
}

/// The names of lists that hold something.
fn present<'n>(fields: &[(&'n str, &Vec<String>)]) -> Vec<&'n str> {
    let there = fields.iter().filter(|(_, values)| !values.is_empty());
    there.map(|(name, _)| *name).collect()
}

/// Whether something of the rule is left without the attributes that only requests have, or
/// whether it has none.
fn has_rest(rule: &Rule) -> bool {
    let sources = rule.from.iter().flatten().map(|from| &from.source);
    let mut operations = rule.to.iter().flatten().map(|to| &to.operation);
    let mut conditions = rule.when.iter().flatten();
    http_attributes(rule).is_empty()
        || sources
            .flat_map(|one| {
                [
                    one.principals.len(),
                    one.not_principals.len(),
                    one.namespaces.len(),
                    one.not_namespaces.len(),
                    one.service_accounts.len(),
                    one.not_service_accounts.len(),
                    one.trust_domains.len(),
                    one.not_trust_domains.len(),
                    one.ip_blocks.len(),
                    one.not_ip_blocks.len(),
                ]
            })
            .any(|count| count > 0)
        || operations.any(|one| !(one.ports.is_empty() && one.not_ports.is_empty()))
        || conditions.any(|when| is_of_connection(&when.key))
}

/// Whether a condition's key is of something that every connection has.
fn is_of_connection(key: &str) -> bool {
    let ours = key.starts_with("waypoint.dev/client.");
    ours || key.starts_with("source.") || key.starts_with("destination.")
}

const MATCH_LABELS: &str = "matchLabels";
