//! The specification read aloud, slowly, against the evaluator.

use proptest::{prelude::*, sample::select};
use regex::Regex;

use super::*;
use crate::mesh::policy::TemplateSegment;

/// The verdict, from the text of the specification: HTTP attributes are taken out of rules rather
/// than skipped while matching, and every pattern becomes a regular expression.
fn expected(all: &[AuthorizationPolicy], subject: &Subject<'_>) -> bool {
    let enforced =
        |action| all.iter().filter(move |policy| policy.action == action && !policy.dry_run);
    let any_matches = |action| {
        enforced(action)
            .flat_map(|policy| &policy.rules)
            .filter_map(|rule| reduced(rule, action, subject.head.is_some()))
            .any(|rule| rule_matches(&rule, subject))
    };
    let must_be_allowed = enforced(Action::Allow).next().is_some();
    !any_matches(Action::Deny) && (!must_be_allowed || any_matches(Action::Allow))
}

/// What is left of a rule for this protocol; `None` if it never matches.
fn reduced(rule: &PolicyRule, action: Action, http: bool) -> Option<PolicyRule> {
    let mut left = PolicyRule { unsupported: vec![], ..rule.clone() };
    if !http {
        for operation in &mut left.to {
            *operation = Operation { ports: operation.ports.clone(), ..Operation::default() };
        }
        left.when.retain(|condition| !matches!(condition, Condition::RequestHeader(..)));
    }
    (action == Action::Deny || left == *rule).then_some(left)
}

fn rule_matches(rule: &PolicyRule, subject: &Subject<'_>) -> bool {
    let from = rule.from.is_empty() || rule.from.iter().any(|from| source_matches(from, subject));
    let to = rule.to.is_empty() || rule.to.iter().any(|to| operation_matches(to, subject));
    from && to && rule.when.iter().all(|condition| condition_matches(condition, subject))
}

fn source_matches(source: &Source, subject: &Subject<'_>) -> bool {
    let ip = Condition::SourceIp(source.ip_blocks.clone());
    let principal = Condition::SourcePrincipal(source.principals.clone());
    let namespace = Condition::SourceNamespace(source.namespaces.clone());
    let account = Condition::SourceServiceAccount(source.service_accounts.clone());
    let domain = Condition::SourceTrustDomain(source.trust_domains.clone());
    [ip, principal, namespace, account, domain]
        .iter()
        .all(|condition| condition_matches(condition, subject))
}

fn operation_matches(operation: &Operation, subject: &Subject<'_>) -> bool {
    let port = Condition::DestinationPort(operation.ports.clone());
    let Some(head) = subject.head else { return condition_matches(&port, subject) };
    let host = head.authority().to_lowercase();
    condition_matches(&port, subject)
        && passes(&operation.methods, |method| glob(method).is_match(head.method()))
        && passes(&operation.hosts, |text| glob(&lower(text)).is_match(&host))
        && passes(&operation.paths, |path| path_expression(path).is_match(head.path()))
}

fn condition_matches(condition: &Condition, subject: &Subject<'_>) -> bool {
    let identity = subject.peer.identity.clone();
    let ports = [subject.destination.port()];
    match condition {
        Condition::SourceIp(blocks) => {
            passes(blocks, |block| block.contains(subject.peer.address.ip()))
        }
        Condition::DestinationIp(blocks) => {
            passes(blocks, |block| block.contains(subject.destination.ip()))
        }
        Condition::DestinationPort(values) => passes(values, |port| ports.contains(port)),
        Condition::SourceNamespace(values) => passes(values, |text| {
            identity.iter().any(|identity| glob(text).is_match(&identity.namespace))
        }),
        Condition::SourcePrincipal(values) => passes(values, |text| {
            let bare = match text {
                StringMatch::Exact(text) => StringMatch::Exact(text.replace("spiffe://", "")),
                StringMatch::Prefix(text) => StringMatch::Prefix(text.replace("spiffe://", "")),
                other => other.clone(),
            };
            identity.iter().any(|identity| glob(&bare).is_match(&identity.principal()))
        }),
        Condition::SourceServiceAccount(values) => passes(values, |account| {
            let (namespace, name) =
                (regex::escape(&account.namespace), regex::escape(&account.name));
            let whole = format!("^spiffe://.+/ns/{namespace}/(.+/|)sa/{name}(/.+)?$");
            let whole = Regex::new(&whole).unwrap();
            identity.iter().any(|identity| whole.is_match(&identity.to_string()))
        }),
        Condition::SourceTrustDomain(values) => passes(values, |text| {
            let domain = |identity: &SpiffeId| {
                let uri = identity.to_string();
                uri.trim_start_matches("spiffe://").split('/').next().unwrap().to_owned()
            };
            identity.iter().any(|identity| glob(text).is_match(&domain(identity)))
        }),
        Condition::ClientNamespace(values) => passes(values, |text| {
            subject.peer.client.iter().any(|client| glob(text).is_match(&client.namespace))
        }),
        Condition::ClientPrincipal(values) => passes(values, |text| {
            subject.peer.client.iter().any(|client| glob(text).is_match(&client.principal()))
        }),
        Condition::RequestHeader(name, values) => passes(values, |text| {
            let value = subject.head.and_then(|head| head.header(name));
            value.is_some_and(|value| glob(text).is_match(&value))
        }),
    }
}

fn passes<T>(values: &AnyNone<T>, matches: impl Fn(&T) -> bool) -> bool {
    let wanted = values.any.is_empty() || values.any.iter().any(&matches);
    wanted && !values.none.iter().any(matches)
}

fn lower(pattern: &StringMatch) -> StringMatch {
    match pattern {
        StringMatch::Exact(text) => StringMatch::Exact(text.to_lowercase()),
        StringMatch::Prefix(text) => StringMatch::Prefix(text.to_lowercase()),
        StringMatch::Suffix(text) => StringMatch::Suffix(text.to_lowercase()),
        StringMatch::Present => StringMatch::Present,
    }
}

fn glob(pattern: &StringMatch) -> Regex {
    let expression = match pattern {
        StringMatch::Exact(text) => regex::escape(text),
        StringMatch::Prefix(text) => format!("{}.*", regex::escape(text)),
        StringMatch::Suffix(text) => format!(".*{}", regex::escape(text)),
        StringMatch::Present => ".+".to_owned(),
    };
    Regex::new(&format!("^(?:{expression})$")).unwrap()
}

fn path_expression(pattern: &PathPattern) -> Regex {
    let template = match pattern {
        PathPattern::String(text) => return glob(text),
        PathPattern::Template(template) => template,
    };
    let segments = template.segments.iter().map(|segment| match segment {
        TemplateSegment::Literal(text) => regex::escape(text),
        TemplateSegment::One => "[^/]+".to_owned(),
        TemplateSegment::Many => ".*".to_owned(),
    });
    let segments = segments.collect::<Vec<String>>().join("/");
    Regex::new(&format!("^/{segments}$")).unwrap()
}

/// Few values each, so that patterns and requests often meet.
const PATTERNS: [&str; 6] = ["a", "a*", "*a", "*", "b", "spiffe://td/ns/a/*"];
const PRINCIPALS: [&str; 6] =
    ["td/ns/a/sa/b", "spiffe://td/ns/a/sa/a", "td/ns/a/*", "*/sa/b", "*", "x"];
const DOMAINS: [&str; 5] = ["td", "t*", "*d", "*", "other"];
const HOSTS: [&str; 6] = ["A", "a.B:80", "A*", "*b:80", "*", "c"];
const PATHS: [&str; 9] =
    ["/a", "/a*", "*/a", "*", "/{*}", "/a/{*}", "/a/{**}", "/{**}/a", "/{*}/b/{**}/a/"];
const BLOCKS: [&str; 4] = ["10.0.0.0/8", "10.0.0.1", "10.0.0.2/31", "fd00::/8"];

fn any_none<T: Clone + std::fmt::Debug + 'static>(
    value: impl Strategy<Value = T> + Clone + 'static,
) -> BoxedStrategy<AnyNone<T>> {
    let some = prop::collection::vec(value.clone(), 0..3);
    let none = prop::collection::vec(value, 0..2);
    let values = (some, none).prop_map(|(any, none)| AnyNone { any, none });
    prop_oneof![3 => Just(AnyNone::default()), 2 => values].boxed()
}

fn texts(patterns: &'static [&'static str]) -> BoxedStrategy<AnyNone<StringMatch>> {
    any_none(select(patterns).prop_map(StringMatch::parse))
}

fn blocks() -> BoxedStrategy<AnyNone<crate::mesh::address::IpBlock>> {
    any_none(select(&BLOCKS[..]).prop_map(|block| block.parse().unwrap()))
}

fn accounts() -> BoxedStrategy<AnyNone<ObjectName>> {
    let (namespace, name) = (select(vec!["a", "b"]), select(vec!["a", "b", "c"]));
    any_none((namespace, name).prop_map(|(namespace, name)| ObjectName::new(namespace, name)))
}

fn sources() -> impl Strategy<Value = Source> + Clone {
    let all = (texts(&PRINCIPALS), texts(&PATTERNS), accounts(), texts(&DOMAINS), blocks());
    all.prop_map(|(principals, namespaces, service_accounts, trust_domains, ip_blocks)| Source {
        principals,
        namespaces,
        service_accounts,
        trust_domains,
        ip_blocks,
    })
}

fn operations() -> impl Strategy<Value = Operation> {
    let paths = any_none(select(&PATHS[..]).prop_map(|path| PathPattern::parse(path).unwrap()));
    (texts(&HOSTS), any_none(select(vec![80, 81])), texts(&PATTERNS), paths)
        .prop_map(|(hosts, ports, methods, paths)| Operation { hosts, ports, methods, paths })
}

fn conditions() -> impl Strategy<Value = Condition> {
    prop_oneof![
        blocks().prop_map(Condition::SourceIp),
        blocks().prop_map(Condition::DestinationIp),
        texts(&PATTERNS).prop_map(Condition::SourceNamespace),
        texts(&PRINCIPALS).prop_map(Condition::SourcePrincipal),
        accounts().prop_map(Condition::SourceServiceAccount),
        texts(&DOMAINS).prop_map(Condition::SourceTrustDomain),
        any_none(select(vec![80, 81])).prop_map(Condition::DestinationPort),
        texts(&PATTERNS).prop_map(|values| Condition::RequestHeader("x".into(), values)),
    ]
}

fn rules() -> impl Strategy<Value = PolicyRule> {
    let sources = sources();
    let unsupported = prop_oneof![4 => Just(vec![]), 1 => Just(vec!["remote.ip".to_owned()])];
    let some = |most| prop::collection::vec(sources.clone(), 0..most);
    let to = prop::collection::vec(operations(), 0..3);
    let when = prop::collection::vec(conditions(), 0..3);
    (some(3), to, when, unsupported).prop_map(|(from, to, when, unsupported)| PolicyRule {
        from,
        to,
        when,
        unsupported,
    })
}

fn any_policies() -> impl Strategy<Value = Vec<AuthorizationPolicy>> {
    let action = select(vec![Action::Allow, Action::Deny]);
    let rules = prop::collection::vec(rules(), 0..3);
    let one = (action, rules, prop::bool::weighted(0.1)).prop_map(|(action, rules, dry_run)| {
        AuthorizationPolicy { dry_run, ..policy(action, rules) }
    });
    prop::collection::vec(one, 0..4)
}

fn any_request() -> impl Strategy<Value = Option<Request>> {
    let host = select(vec!["a", "A.b:80", "c"]);
    let header = prop::option::of(select(vec!["a", "ab", ""]));
    let path = "/(a/|b/|/){0,3}(a|b)?";
    let request =
        (select(vec!["a", "b"]), host, path, header).prop_map(|(method, host, path, x)| {
            let request = Request::new(method, &format!("http://{host}{path}"));
            match x {
                Some(value) => request.header("x", value),
                None => request,
            }
        });
    prop::option::weighted(0.8, request)
}

fn any_peer() -> impl Strategy<Value = Peer> {
    let address = select(vec!["10.0.0.1:9", "10.0.0.3:9", "[::ffff:10.0.0.2]:9", "[fd00::1]:9"]);
    let identity = prop::option::of((select(vec!["a", "b"]), select(vec!["a", "b"])));
    (address, identity).prop_map(|(address, identity)| {
        let id = |(namespace, account)| Arc::new(SpiffeId::new("td", namespace, account));
        Peer { identity: identity.map(id), ..Peer::unknown(address.parse().unwrap()) }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn the_verdict_is_that_of_the_specification(
        all in any_policies(), request in any_request(), peer in any_peer(), port in 80..82_u16,
    ) {
        let head = request.as_ref().map(|request| request as &dyn RequestHead);
        let destination = SocketAddr::from(([10, 0, 0, 1], port));
        let subject = Subject { peer: &peer, destination, head };
        let allowed = policies(all.clone()).judge(&subject) == Verdict::Allow;
        prop_assert_eq!(allowed, expected(&all, &subject));
    }
}
