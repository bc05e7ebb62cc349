//! What policies without targets decide at the destination; rows are numbered as in the project's
//! table of test vectors.

use std::collections::BTreeMap;

use super::*;
use crate::mesh::{
    label::{Labels, Selector},
    snapshot::Contents,
    workload::MutualTls,
};

/// A policy of `namespace` for all of its pods.
fn pod_policy(namespace: &str, action: Action, rules: Vec<PolicyRule>) -> AuthorizationPolicy {
    AuthorizationPolicy {
        name: ObjectName::new(namespace, "p"),
        targets: vec![PolicyTarget::Pods(Selector::default())],
        ..policy(action, rules)
    }
}

/// The pod `default/server`, labelled `app: server`.
fn server() -> Workload {
    let labels = Labels::from([("app".to_owned(), "server".to_owned())]);
    Workload { labels, ..Workload::new(ObjectName::new("default", "server")) }
}

fn of_pod(all: Vec<AuthorizationPolicy>, workload: &Workload) -> Policies {
    let by_name = all.into_iter().map(|one| (one.name.clone(), Arc::new(one)));
    let policies: BTreeMap<_, _> = by_name.collect();
    let snapshot = Snapshot::new(Contents { policies, ..Contents::default() });
    Policies::at_destination(&snapshot, workload)
}

/// The verdict on a connection of the peer to port 80 of the pod, with one policy of its namespace.
fn verdict(action: Action, rules: Vec<PolicyRule>, peer: &Peer) -> Verdict {
    judge_tcp(&of_pod(vec![pod_policy("default", action, rules)], &server()), peer)
}

fn unsupported(attribute: &str) -> PolicyRule {
    PolicyRule { unsupported: vec![attribute.to_owned()], ..PolicyRule::default() }
}

fn denied() -> Verdict {
    denied_by("ns[default]-policy[p]-rule[0]")
}

#[test]
fn rows_5_and_6_behind_a_waypoint_the_principal_is_the_waypoints() {
    let client = Arc::new(SpiffeId::new("cluster.local", "web", "client"));
    let through = Peer { client: Some(client), ..pod("mesh", "waypoint") };
    let of_client = vec![principals("cluster.local/ns/web/sa/client")];
    let of_waypoint = vec![principals("cluster.local/ns/mesh/sa/waypoint")];
    assert_eq!(verdict(Action::Allow, of_client.clone(), &through), NOT_ALLOWED);
    assert_eq!(verdict(Action::Allow, of_waypoint, &through), Verdict::Allow);
    assert_eq!(verdict(Action::Allow, of_client, &pod("web", "client")), Verdict::Allow);
}

#[test]
fn rows_7_to_9_http_attributes_narrow_allow_and_widen_deny_unless_nothing_is_left() {
    let x = pod("a", "x");
    let of_x = || principals("cluster.local/ns/a/sa/x");
    assert_eq!(verdict(Action::Allow, vec![methods("GET")], &x), NOT_ALLOWED, "row 7");
    let mixed = PolicyRule { to: methods("GET").to, ..of_x() };
    assert_eq!(verdict(Action::Deny, vec![mixed.clone()], &x), denied(), "row 8");
    assert_eq!(verdict(Action::Deny, vec![mixed], &pod("a", "y")), Verdict::Allow);
    for rule in [methods("GET"), hosts("a"), paths("/a")] {
        assert_eq!(verdict(Action::Deny, vec![rule], &x), Verdict::Allow, "row 9");
    }
}

#[test]
fn row_18_both_spellings_of_a_principal_match() {
    for pattern in ["spiffe://cluster.local/ns/a/sa/b", "cluster.local/ns/a/sa/b"] {
        let rules = vec![principals(pattern)];
        assert_eq!(verdict(Action::Allow, rules, &pod("a", "b")), Verdict::Allow, "{pattern}");
    }
}

#[test]
fn each_alternative_of_a_deny_rule_is_judged_by_what_is_left_of_it() {
    let x = || from(Source { namespaces: one_of([text("a")]), ..Source::default() }).from;
    let mut get_or_80 = methods("GET").to;
    get_or_80.extend(ports(80).to);
    let mut get_or_81 = methods("GET").to;
    get_or_81.extend(ports(81).to);
    let header = || vec![Condition::RequestHeader("x".to_owned(), one_of([text("1")]))];
    let accounts =
        || from(Source { service_accounts: service_account("a", "x"), ..Source::default() }).from;
    let domain = || vec![Condition::SourceTrustDomain(one_of([text("cluster.local")]))];
    let here = || vec![Condition::DestinationPort(one_of([80]))];
    let rule = |from: Vec<Source>, to: Vec<Operation>, when: Vec<Condition>| PolicyRule {
        from,
        to,
        when,
        unsupported: Vec::new(),
    };
    for (rule, expected) in [
        (rule(vec![], get_or_80.clone(), vec![]), true),
        (rule(vec![], get_or_81.clone(), vec![]), false),
        (rule(x(), get_or_81, vec![]), true),
        (rule(vec![], vec![], header()), false),
        (rule(x(), vec![], header()), true),
        (rule(vec![], methods("GET").to, here()), true),
        (rule(vec![], methods("GET").to, header()), false),
        (rule(vec![], vec![], vec![]), true),
        (unsupported("requestPrincipals"), false),
        (unsupported("request.auth.claims[a]"), false),
        (unsupported("connection.sni"), false),
        (rule(accounts(), methods("GET").to, vec![]), true),
        (rule(vec![], methods("GET").to, domain()), true),
        (PolicyRule { from: x(), ..unsupported("remoteIpBlocks") }, true),
        (PolicyRule { from: vec![Source::default()], ..unsupported("remoteIpBlocks") }, false),
    ] {
        let expected = if expected { denied() } else { Verdict::Allow };
        let got = verdict(Action::Deny, vec![rule.clone()], &pod("a", "x"));
        assert_eq!(got, expected, "{rule:?}");
    }
}

#[test]
fn policies_apply_by_namespace_by_label_and_from_the_root_namespace() {
    let selected = |value: &str| {
        let labels = Labels::from([("app".to_owned(), value.to_owned())]);
        vec![PolicyTarget::Pods(Selector::equals(&labels))]
    };
    let everything = vec![PolicyTarget::Pods(Selector::default())];
    let service = vec![PolicyTarget::Service(ObjectName::new("default", "s"))];
    let gateway = vec![PolicyTarget::Namespace("default".to_owned())];
    for (namespace, targets, applies) in [
        ("default", everything.clone(), true),
        ("default", selected("server"), true),
        ("default", selected("other"), false),
        ("other", everything.clone(), false),
        ("istio-system", everything, true),
        ("istio-system", selected("server"), true),
        ("istio-system", selected("other"), false),
        ("default", service, false),
        ("default", gateway, false),
    ] {
        let deny = AuthorizationPolicy {
            targets: targets.clone(),
            ..pod_policy(namespace, Action::Deny, vec![PolicyRule::default()])
        };
        let policies = of_pod(vec![deny], &server());
        assert_eq!(policies.is_empty(), !applies, "{namespace} {targets:?}");
        assert_eq!(judge_tcp(&policies, &pod("a", "b")) != Verdict::Allow, applies);
    }
}

#[test]
fn a_policy_of_the_root_namespace_counts_once_for_a_pod_of_it() {
    let workload = Workload::new(ObjectName::new("istio-system", "server"));
    let deny = pod_policy("istio-system", Action::Deny, vec![ports(80)]);
    let verdict = judge_tcp(&of_pod(vec![deny], &workload), &stranger());
    assert_eq!(verdict, denied_by("ns[istio-system]-policy[p]-rule[0]"));
}

#[test]
fn a_client_is_matched_by_its_own_keys_only_and_never_without_one() {
    let client = Arc::new(SpiffeId::new("cluster.local", "web", "client"));
    let through = Peer { client: Some(client), ..pod("mesh", "waypoint") };
    let itself = pod("web", "client");
    let principal = |pattern: &str| when(Condition::ClientPrincipal(one_of([text(pattern)])));
    let namespace = |pattern: &str| when(Condition::ClientNamespace(one_of([text(pattern)])));
    for (rule, of_through, of_itself) in [
        (principal("cluster.local/ns/web/sa/client"), true, false),
        (principal("spiffe://cluster.local/ns/web/*"), true, false),
        (principal("*/sa/waypoint"), false, false),
        (principal("*"), true, false),
        (namespace("web"), true, false),
        (namespace("mesh"), false, false),
        (when(Condition::ClientPrincipal(none_of([text("*")]))), false, true),
        (when(Condition::ClientNamespace(none_of([text("web")]))), false, true),
    ] {
        for (peer, expected) in [(&through, of_through), (&itself, of_itself)] {
            let allowed = verdict(Action::Allow, vec![rule.clone()], peer) == Verdict::Allow;
            assert_eq!(allowed, expected, "{rule:?} {:?}", peer.client);
        }
    }
}

#[test]
fn row_17_where_mutual_tls_is_asked_for_a_peer_without_identity_is_denied() {
    let strict = denied_by("ns[istio-system]-policy[istio_converted_static_strict]-rule[0]");
    let tls = |strict, exceptions: &[u16]| MutualTls { strict, exceptions: exceptions.to_vec() };
    for (mutual_tls, peer, expected) in [
        (tls(true, &[]), stranger(), strict.clone()),
        (tls(true, &[]), pod("a", "b"), Verdict::Allow),
        (tls(true, &[80]), stranger(), Verdict::Allow),
        (tls(true, &[81]), stranger(), strict.clone()),
        (tls(false, &[80]), stranger(), strict),
        (tls(false, &[81]), stranger(), Verdict::Allow),
        (tls(false, &[]), stranger(), Verdict::Allow),
    ] {
        let workload = Workload { mutual_tls: mutual_tls.clone(), ..server() };
        let policies = of_pod(Vec::new(), &workload);
        assert_eq!(judge_tcp(&policies, &peer), expected, "{mutual_tls:?}");
        assert_eq!(policies.is_empty(), mutual_tls == MutualTls::default());
    }
}

#[test]
fn a_waypoint_does_not_ask_for_what_the_destination_asks() {
    let workload =
        Workload { mutual_tls: MutualTls { strict: true, exceptions: vec![] }, ..server() };
    let snapshot = Snapshot::new(Contents::default());
    assert!(Policies::for_workload(&snapshot, &workload).is_empty());
}

#[test]
fn a_dry_run_is_a_shadow_at_the_destination_too() {
    let deny = AuthorizationPolicy {
        dry_run: true,
        ..pod_policy("default", Action::Deny, vec![PolicyRule::default()])
    };
    let policies = of_pod(vec![deny], &server());
    let peer = stranger();
    let subject = Subject { peer: &peer, destination: destination(), head: None };
    assert_eq!(policies.judge(&subject), Verdict::Allow);
    assert_eq!(policies.shadow(&subject), Some(denied()));
}
