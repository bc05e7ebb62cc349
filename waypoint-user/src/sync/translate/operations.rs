//! Rules of AuthorizationPolicies, as far as they can be understood by themselves.
//!
//! It judges no request; that is `policy`'s.
//!
//! **Invariant:** an attribute is translated, recorded as unsupported, or an error; never dropped.

use crate::{
    mesh::{
        address::{InvalidBlock, IpBlock},
        pattern::StringMatch,
        policy::{
            AnyNone, Condition, Operation, PathPattern, PathTemplate, PolicyRule, TemplateSegment,
        },
    },
    sync::authorization as declared,
};

use super::{invalid::Invalid, meta, sources};

/// Reads a rule of a policy of the namespace; errors name its place in the policy.
pub(super) fn rule(
    namespace: &str,
    index: usize,
    rule: &declared::Rule,
) -> Result<PolicyRule, Invalid> {
    read(namespace, rule).map_err(|cause| Invalid::field(&format!("spec.rules[{index}]"), cause))
}

fn read(namespace: &str, rule: &declared::Rule) -> Result<PolicyRule, Invalid> {
    let mut read = PolicyRule::default();
    for from in entries("from", rule.from.as_deref())? {
        read.from.push(sources::source(namespace, &from.source, &mut read.unsupported)?);
    }
    for to in entries("to", rule.to.as_deref())? {
        read.to.push(operation(&to.operation)?);
    }
    for when in entries("when", rule.when.as_deref())? {
        match condition(namespace, when)? {
            Some(condition) => read.when.push(condition),
            None => read.unsupported.push(when.key.clone()),
        }
    }
    Ok(read)
}

/// The entries of a section; one that is there and empty would permit what it seems to restrict.
fn entries<'a, T>(name: &str, section: Option<&'a [T]>) -> Result<&'a [T], Invalid> {
    match section {
        Some([]) => Err(Invalid::field(name, "is there and empty")),
        Some(entries) => Ok(entries),
        None => Ok(&[]),
    }
}

fn operation(declared: &declared::Operation) -> Result<Operation, Invalid> {
    let operation = Operation {
        hosts: values(&declared.hosts, &declared.not_hosts, string)?,
        ports: values(&declared.ports, &declared.not_ports, port)?,
        methods: values(&declared.methods, &declared.not_methods, string)?,
        paths: values(&declared.paths, &declared.not_paths, path)?,
    };
    if operation == Operation::default() {
        return Err(Invalid::new("to.operation is empty"));
    }
    Ok(operation)
}

/// A condition, if its key is supported.
fn condition(namespace: &str, when: &declared::When) -> Result<Option<Condition>, Invalid> {
    let (any, none) = (&when.values, &when.not_values);
    if any.is_empty() && none.is_empty() {
        return Err(Invalid::field(&when.key, "neither values nor notValues"));
    }
    Ok(Some(match when.key.as_str() {
        "source.ip" => Condition::SourceIp(values(any, none, block)?),
        "source.namespace" => Condition::SourceNamespace(values(any, none, string)?),
        "source.principal" => Condition::SourcePrincipal(values(any, none, principal)?),
        "source.serviceAccount" => {
            let account = |value: &str| sources::service_account(namespace, value);
            Condition::SourceServiceAccount(values(any, none, account)?)
        }
        "source.trustDomain" => {
            Condition::SourceTrustDomain(values(any, none, sources::trust_domain)?)
        }
        "waypoint.dev/client.namespace" => Condition::ClientNamespace(values(any, none, string)?),
        "waypoint.dev/client.principal" => {
            Condition::ClientPrincipal(values(any, none, principal)?)
        }
        "destination.ip" => Condition::DestinationIp(values(any, none, block)?),
        "destination.port" => Condition::DestinationPort(values(any, none, port)?),
        key => {
            let header =
                key.strip_prefix("request.headers[").and_then(|rest| rest.strip_suffix(']'));
            match header.filter(|name| !name.is_empty()) {
                Some(name) => {
                    Condition::RequestHeader(name.to_ascii_lowercase(), values(any, none, string)?)
                }
                None => return Ok(None),
            }
        }
    }))
}

/// Both lists of an attribute.
pub(super) fn values<T>(
    any: &[String],
    none: &[String],
    mut one: impl FnMut(&str) -> Result<T, Invalid>,
) -> Result<AnyNone<T>, Invalid> {
    if any.iter().chain(none).any(String::is_empty) {
        return Err(Invalid::new("an empty value"));
    }
    Ok(AnyNone {
        any: any.iter().map(|value| one(value)).collect::<Result<_, _>>()?,
        none: none.iter().map(|value| one(value)).collect::<Result<_, _>>()?,
    })
}

#[expect(clippy::unnecessary_wraps, reason = "it stands beside others that can fail")]
pub(super) fn string(value: &str) -> Result<StringMatch, Invalid> {
    Ok(StringMatch::parse(value))
}

/// A principal; users write it with its scheme and without.
pub(super) fn principal(value: &str) -> Result<StringMatch, Invalid> {
    string(value.strip_prefix("spiffe://").unwrap_or(value))
}

pub(super) fn block(value: &str) -> Result<IpBlock, Invalid> {
    value.parse().map_err(|cause: InvalidBlock| Invalid::new(cause.to_string()))
}

fn port(value: &str) -> Result<u16, Invalid> {
    let number: i64 =
        value.parse().map_err(|_| Invalid::new(format!("{value:?} is not a port number")))?;
    meta::port(number)
}

/// A path; with `{` it is a template (Istio `pkg/config/security`).
fn path(value: &str) -> Result<PathPattern, Invalid> {
    if !value.contains("{*}") && !value.contains("{**}") {
        return string(value).map(PathPattern::String);
    }
    let wrong = || Invalid::new(format!("path template {value:?} is malformed"));
    let segments = value.strip_prefix('/').ok_or_else(wrong)?.split('/').map(|segment| {
        Ok(match segment {
            "{*}" => TemplateSegment::One,
            "{**}" => TemplateSegment::Many,
            text if text.contains(['{', '}', '*']) => return Err(wrong()),
            text => TemplateSegment::Literal(text.to_owned()),
        })
    });
    let segments = segments.collect::<Result<Vec<_>, Invalid>>()?;
    let many = segments.iter().filter(|segment| **segment == TemplateSegment::Many).count();
    if many > 1 {
        return Err(wrong());
    }
    Ok(PathPattern::Template(PathTemplate { segments }))
}
