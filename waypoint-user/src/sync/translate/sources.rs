//! Sources of AuthorizationPolicies' rules: who asks.
//!
//! It judges nobody; that is `policy`'s.
//!
//! **Invariant:** an attribute is translated, recorded as unsupported, or an error; never dropped.

use crate::{
    mesh::{object::ObjectName, pattern::StringMatch, policy::Source},
    sync::authorization as declared,
};

use super::{
    invalid::Invalid,
    operations::{block, principal, string, values},
};

/// Reads a source of a policy of the namespace.
pub(super) fn source(
    namespace: &str,
    declared: &declared::Source,
    unsupported: &mut Vec<String>,
) -> Result<Source, Invalid> {
    let before = unsupported.len();
    for (name, values) in [
        ("requestPrincipals", &declared.request_principals),
        ("notRequestPrincipals", &declared.not_request_principals),
        ("remoteIpBlocks", &declared.remote_ip_blocks),
        ("notRemoteIpBlocks", &declared.not_remote_ip_blocks),
    ] {
        if !values.is_empty() {
            unsupported.push(name.to_owned());
        }
    }
    let account = |value: &str| service_account(namespace, value);
    let (accounts, not_accounts) = (&declared.service_accounts, &declared.not_service_accounts);
    let (domains, not_domains) = (&declared.trust_domains, &declared.not_trust_domains);
    let source = Source {
        principals: values(&declared.principals, &declared.not_principals, principal)?,
        namespaces: values(&declared.namespaces, &declared.not_namespaces, string)?,
        service_accounts: values(accounts, not_accounts, account)?,
        trust_domains: values(domains, not_domains, trust_domain)?,
        ip_blocks: values(&declared.ip_blocks, &declared.not_ip_blocks, block)?,
    };
    if source == Source::default() && unsupported.len() == before {
        return Err(Invalid::new("from.source is empty"));
    }
    let names_others = !(source.principals.is_empty() && source.namespaces.is_empty());
    if names_others && !source.service_accounts.is_empty() {
        let message = "serviceAccounts exclude principals and namespaces beside them";
        return Err(Invalid::field("from.source", message));
    }
    Ok(source)
}

/// `account`, in the policy's own namespace, or `namespace/account`; there are no wildcards.
pub(super) fn service_account(namespace: &str, value: &str) -> Result<ObjectName, Invalid> {
    let (namespace, name) = value.split_once('/').unwrap_or((namespace, value));
    let is_one = |part: &str| !part.is_empty() && !part.contains(['/', '*']);
    if !is_one(namespace) || !is_one(name) {
        let message = format!("service account {value:?}: write NAME or NAMESPACE/NAME");
        return Err(Invalid::new(message));
    }
    Ok(ObjectName::new(namespace, name))
}

/// A trust domain; `*` stands alone, at the beginning or at the end.
pub(super) fn trust_domain(value: &str) -> Result<StringMatch, Invalid> {
    let pattern = StringMatch::parse(value);
    let text = match &pattern {
        StringMatch::Exact(text) | StringMatch::Prefix(text) | StringMatch::Suffix(text) => text,
        StringMatch::Present => "",
    };
    if text.contains(['/', '*']) {
        let message =
            format!("trust domain {value:?}: it has no '/', and '*' only at one of its ends");
        return Err(Invalid::new(message));
    }
    Ok(pattern)
}
