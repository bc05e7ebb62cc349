//! What is known of a subject, and whether rules match it.
//!
//! **Invariant:** without a request, an HTTP attribute restricts nothing; who must not match wider
//! than what is asked (ALLOW) leaves such rules out beforehand.

use std::cell::OnceCell;

use crate::mesh::{
    object::ObjectName,
    pattern::StringMatch,
    policy::{AnyNone, Condition, Operation, PathPattern, PolicyRule, Source},
    request::RequestHead,
    spiffe::SpiffeId,
};

use super::{Subject, path_template};

/// A subject, with what rules often ask of it computed once.
pub(super) struct Facts<'a> {
    subject: &'a Subject<'a>,
    identity: Option<&'a SpiffeId>,
    principal: OnceCell<String>,
}

impl<'a> Facts<'a> {
    pub(super) fn of(subject: &'a Subject<'a>) -> Self {
        let identity = subject.peer.identity.as_deref();
        Self { subject, identity, principal: OnceCell::new() }
    }

    /// The path of the request, if there is one.
    pub(super) fn path(&self) -> Option<&str> {
        self.subject.head.map(RequestHead::path)
    }

    /// Who asks, if that is known.
    pub(super) fn principal(&self) -> Option<&str> {
        let identity = self.identity?;
        Some(self.principal.get_or_init(|| identity.principal()))
    }

    /// Whether a rule matches: any source, any operation, and all conditions.
    pub(super) fn match_rule(&self, rule: &PolicyRule) -> bool {
        let PolicyRule { from, to, when, unsupported: _ } = rule;
        (from.is_empty() || from.iter().any(|source| self.match_source(source)))
            && (to.is_empty() || to.iter().any(|operation| self.match_operation(operation)))
            && when.iter().all(|condition| self.match_condition(condition))
    }

    /// Whether a rule could match for this peer, whatever it asks for: any source, and all
    /// conditions on the source.
    pub(super) fn may_match(&self, rule: &PolicyRule) -> bool {
        (rule.from.is_empty() || rule.from.iter().any(|source| self.match_source(source)))
            && rule.when.iter().all(|condition| match condition {
                Condition::SourceIp(_)
                | Condition::SourceNamespace(_)
                | Condition::SourcePrincipal(_)
                | Condition::SourceServiceAccount(_)
                | Condition::SourceTrustDomain(_) => self.match_condition(condition),
                _ => true,
            })
    }

    /// Whether a rule matches by what a connection can tell. Its alternatives, each of a source and
    /// an operation, are judged by themselves: one of which nothing is left matches nothing.
    pub(super) fn match_rest(&self, rule: &PolicyRule) -> bool {
        let conditions = rule.when.iter().any(|condition| !condition.asks_http());
        let sources = Matches::of(
            &rule.from,
            |source| self.match_source(source),
            |source| *source != Source::default(),
        );
        let operations = Matches::of(
            &rule.to,
            |operation| self.match_operation(operation),
            |operation| !operation.ports.is_empty(),
        );
        let any = sources.any && operations.any;
        let left = conditions || sources.with_rest || operations.with_rest;
        any && left && rule.when.iter().all(|condition| self.match_condition(condition))
    }

    fn match_source(&self, source: &Source) -> bool {
        let address = self.subject.peer.address.ip();
        source.ip_blocks.holds(|block| block.contains(address))
            && self.match_namespace(&source.namespaces)
            && self.match_principal(&source.principals)
            && self.match_service_account(&source.service_accounts)
            && self.match_trust_domain(&source.trust_domains)
    }

    fn match_operation(&self, operation: &Operation) -> bool {
        let Operation { hosts, ports, methods, paths } = operation;
        ports.holds(|port| *port == self.subject.destination.port())
            && self.match_head(|head| {
                methods.holds(|method| method.matches(head.method()))
                    && paths.holds(|path| match_path(path, head.path()))
                    && hosts.holds(|host| match_host(host, head.authority()))
            })
    }

    fn match_condition(&self, condition: &Condition) -> bool {
        let Subject { peer, destination, .. } = self.subject;
        match condition {
            Condition::SourceIp(blocks) => blocks.holds(|one| one.contains(peer.address.ip())),
            Condition::SourceNamespace(namespaces) => self.match_namespace(namespaces),
            Condition::SourcePrincipal(principals) => self.match_principal(principals),
            Condition::SourceServiceAccount(accounts) => self.match_service_account(accounts),
            Condition::SourceTrustDomain(domains) => self.match_trust_domain(domains),
            Condition::ClientNamespace(namespaces) => namespaces.holds(|pattern| {
                self.client().is_some_and(|client| pattern.matches(&client.namespace))
            }),
            Condition::ClientPrincipal(principals) => principals.holds(|pattern| {
                self.client().is_some_and(|client| match_principal(pattern, &client.principal()))
            }),
            Condition::DestinationIp(blocks) => blocks.holds(|one| one.contains(destination.ip())),
            Condition::DestinationPort(ports) => ports.holds(|port| *port == destination.port()),
            Condition::RequestHeader(name, values) => self.match_head(|head| {
                let value = head.header(name);
                values.holds(|pattern| value.as_deref().is_some_and(|text| pattern.matches(text)))
            }),
        }
    }

    fn match_head(&self, matches: impl FnOnce(&dyn RequestHead) -> bool) -> bool {
        self.subject.head.is_none_or(matches)
    }

    /// In whose name the peer asks; a peer that asks for itself has no client.
    fn client(&self) -> Option<&SpiffeId> {
        self.subject.peer.client.as_deref()
    }

    fn match_namespace(&self, namespaces: &AnyNone<StringMatch>) -> bool {
        namespaces.holds(|pattern| {
            self.identity.is_some_and(|identity| pattern.matches(&identity.namespace))
        })
    }

    fn match_service_account(&self, accounts: &AnyNone<ObjectName>) -> bool {
        accounts.holds(|account| {
            self.identity.is_some_and(|identity| {
                identity.namespace == account.namespace && identity.service_account == account.name
            })
        })
    }

    fn match_trust_domain(&self, domains: &AnyNone<StringMatch>) -> bool {
        domains.holds(|pattern| {
            self.identity.is_some_and(|identity| pattern.matches(&identity.trust_domain))
        })
    }

    fn match_principal(&self, principals: &AnyNone<StringMatch>) -> bool {
        principals.holds(|pattern| {
            self.principal().is_some_and(|principal| match_principal(pattern, principal))
        })
    }
}

/// Which alternatives of a section match.
struct Matches {
    /// Any of them.
    any: bool,
    /// One of which something is left without HTTP attributes.
    with_rest: bool,
}

impl Matches {
    fn of<T>(all: &[T], matches: impl Fn(&T) -> bool, has_rest: impl Fn(&T) -> bool) -> Self {
        let mut found = Self { any: all.is_empty(), with_rest: false };
        for one in all.iter().filter(|one| matches(one)) {
            found.any = true;
            found.with_rest |= has_rest(one);
        }
        found
    }
}

/// Matches a principal; a pattern may, but need not, begin with the scheme.
fn match_principal(pattern: &StringMatch, principal: &str) -> bool {
    match pattern {
        StringMatch::Exact(text) => principal == without_scheme(text),
        StringMatch::Prefix(text) => principal.starts_with(without_scheme(text)),
        StringMatch::Suffix(_) | StringMatch::Present => pattern.matches(principal),
    }
}

/// A principal as rules compare it.
pub(super) fn without_scheme(text: &str) -> &str {
    text.strip_prefix(SCHEME).unwrap_or(text)
}

fn match_path(pattern: &PathPattern, path: &str) -> bool {
    match pattern {
        PathPattern::String(pattern) => pattern.matches(path),
        PathPattern::Template(template) => path_template::matches(template, path),
    }
}

/// Matches an authority without regard to case.
fn match_host(pattern: &StringMatch, authority: &str) -> bool {
    let authority = authority.as_bytes();
    match pattern {
        StringMatch::Exact(host) => authority.eq_ignore_ascii_case(host.as_bytes()),
        StringMatch::Prefix(host) => authority
            .split_at_checked(host.len())
            .is_some_and(|(start, _)| start.eq_ignore_ascii_case(host.as_bytes())),
        StringMatch::Suffix(host) => authority
            .len()
            .checked_sub(host.len())
            .and_then(|at| authority.split_at_checked(at))
            .is_some_and(|(_, end)| end.eq_ignore_ascii_case(host.as_bytes())),
        StringMatch::Present => !authority.is_empty(),
    }
}

const SCHEME: &str = "spiffe://";
