//! What policies decide, case by case.

use super::*;

/// Whether an ALLOW policy with this one rule permits the request.
fn allows(rule: PolicyRule, peer: &Peer, request: &Request) -> bool {
    judge(&policies([policy(Action::Allow, vec![rule])]), peer, request) == Verdict::Allow
}

fn url(path: &str) -> Request {
    Request::get(&format!("http://s{path}"))
}

#[test]
fn without_policies_everything_is_allowed() {
    let nothing = Policies::default();
    assert_eq!(judge(&nothing, &stranger(), &url("/")), Verdict::Allow);
    assert_eq!(judge_tcp(&nothing, &stranger()), Verdict::Allow);
}

#[test]
fn an_allow_policy_without_rules_denies_everything() {
    let policies = policies([policy(Action::Allow, vec![])]);
    assert_eq!(judge(&policies, &pod("default", "a"), &url("/")), NOT_ALLOWED);
    assert_eq!(judge_tcp(&policies, &pod("default", "a")), NOT_ALLOWED);
}

#[test]
fn an_allow_policy_with_an_empty_rule_allows_everything() {
    let policies = policies([policy(Action::Allow, vec![PolicyRule::default()])]);
    assert_eq!(judge(&policies, &stranger(), &url("/")), Verdict::Allow);
    assert_eq!(judge_tcp(&policies, &stranger()), Verdict::Allow);
}

#[test]
fn a_deny_policy_without_rules_denies_nothing() {
    let policies = policies([policy(Action::Deny, vec![])]);
    assert_eq!(judge(&policies, &stranger(), &url("/")), Verdict::Allow);
}

#[test]
fn a_deny_rule_is_named_in_the_verdict_and_comes_before_allow() {
    let allow = policy(Action::Allow, vec![PolicyRule::default()]);
    let deny = policy(Action::Deny, vec![methods("PUT"), methods("DELETE")]);
    let policies = policies([allow, deny]);
    let request = Request::new("DELETE", "http://s/");
    let verdict = judge(&policies, &stranger(), &request);
    assert_eq!(verdict, denied_by("ns[default]-policy[p]-rule[1]"));
    assert_eq!(judge(&policies, &stranger(), &url("/")), Verdict::Allow);
}

#[test]
fn any_of_several_allow_policies_suffices() {
    let policies = policies([
        policy(Action::Allow, vec![methods("GET")]),
        policy(Action::Allow, vec![methods("PUT")]),
    ]);
    assert_eq!(judge(&policies, &stranger(), &url("/")), Verdict::Allow);
    let put = Request::new("PUT", "http://s/");
    assert_eq!(judge(&policies, &stranger(), &put), Verdict::Allow);
    let post = Request::new("POST", "http://s/");
    assert_eq!(judge(&policies, &stranger(), &post), NOT_ALLOWED);
}

#[test]
fn paths_match_wholly_by_prefix_by_suffix_or_by_template() {
    let cases = [
        ("/x*", "/xyz", true),
        ("/x*", "/y", false),
        ("/x", "/x", true),
        ("/x", "/x/", false),
        ("/x", "/X", false),
        ("*.html", "/a/b.html", true),
        ("*", "/", true),
        ("/a/{*}/c", "/a/b/c", true),
        ("/a/{*}/c", "/a/b/b/c", false),
        ("/a/{*}/c", "/a//c", false),
        ("/a/{*}", "/a/", false),
        ("/a/{**}", "/a/b/c", true),
        ("/a/{**}", "/a/", true),
        ("/a/{**}", "/a", false),
        ("/a/{**}", "/ab/c", false),
        ("/a/{**}/", "/a/b/c/", true),
        ("/a/{**}/", "/a//", true),
        ("/a/{**}/", "/a/", false),
        ("/{*}/b/{**}/d", "/a/b/c/c/d", true),
        ("/{*}/b/{**}/d", "/a/b/d", false),
        ("/{**}", "*", false),
    ];
    for (pattern, path, expected) in cases {
        let request = url("/").path(path);
        let allowed = allows(paths(pattern), &stranger(), &request);
        assert_eq!(allowed, expected, "{pattern} on {path}");
    }
}

#[test]
fn hosts_match_without_case_and_with_their_port() {
    let cases = [
        ("A.example.com", "a.EXAMPLE.com", true),
        ("a.example.com", "a.example.com:80", false),
        ("a.example.com:80", "a.example.com:80", true),
        ("A.*", "a.example.com:80", true),
        ("*.EXAMPLE.com", "a.example.COM", true),
        ("*.example.com", "example.com", false),
        ("*.example.com", ".com", false),
        ("a.example.*", "a", false),
        ("*", "a", true),
    ];
    for (pattern, host, expected) in cases {
        let request = Request::get(&format!("http://{host}/"));
        let allowed = allows(hosts(pattern), &stranger(), &request);
        assert_eq!(allowed, expected, "{pattern} on {host}");
    }
}

#[test]
fn a_host_that_splits_a_character_does_not_match() {
    assert!(!allows(hosts("a*"), &stranger(), &Request::get("http://é/")));
    assert!(!allows(hosts("*a"), &stranger(), &Request::get("http://é/")));
}

#[test]
fn principals_match_with_or_without_their_scheme() {
    let cases = [
        ("cluster.local/ns/a/sa/b", true),
        ("spiffe://cluster.local/ns/a/sa/b", true),
        ("cluster.local/ns/a/*", true),
        ("spiffe://cluster.local/ns/a/*", true),
        ("*/sa/b", true),
        ("*", true),
        ("cluster.local/ns/a/sa/c", false),
        ("other/ns/a/sa/b", false),
        ("spiffe://spiffe://cluster.local/ns/a/sa/b", false),
    ];
    for (pattern, expected) in cases {
        assert_eq!(allows(principals(pattern), &pod("a", "b"), &url("/")), expected, "{pattern}");
        assert!(!allows(principals(pattern), &stranger(), &url("/")), "{pattern}");
    }
}

#[test]
fn a_peer_without_identity_passes_only_negated_principals_and_namespaces() {
    let every = || none_of([text("*")]);
    let no_principal = from(Source { principals: every(), ..Source::default() });
    assert!(allows(no_principal.clone(), &stranger(), &url("/")));
    assert!(!allows(no_principal, &pod("a", "b"), &url("/")));
    let no_namespace = from(Source { namespaces: every(), ..Source::default() });
    assert!(allows(no_namespace.clone(), &stranger(), &url("/")));
    assert!(!allows(no_namespace, &pod("a", "b"), &url("/")));
}

#[test]
fn service_accounts_and_trust_domains_are_those_of_the_peer() {
    let account = |accounts| from(Source { service_accounts: accounts, ..Source::default() });
    let domain = |domains| from(Source { trust_domains: domains, ..Source::default() });
    let peer = pod("a", "b");
    for (rule, expected, of_stranger) in [
        (account(service_account("a", "b")), true, false),
        (account(service_account("a", "c")), false, false),
        (account(service_account("b", "b")), false, false),
        (account(none_of([ObjectName::new("a", "b")])), false, true),
        (account(none_of([ObjectName::new("a", "c")])), true, true),
        (when(Condition::SourceServiceAccount(service_account("a", "b"))), true, false),
        (when(Condition::SourceServiceAccount(none_of([ObjectName::new("a", "b")]))), false, true),
        (domain(one_of([text("cluster.local")])), true, false),
        (domain(one_of([text("cluster")])), false, false),
        (domain(one_of([text("*.local")])), true, false),
        (domain(one_of([text("*")])), true, false),
        (domain(none_of([text("*")])), false, true),
        (when(Condition::SourceTrustDomain(one_of([text("other")]))), false, false),
        (when(Condition::SourceTrustDomain(none_of([text("other")]))), true, true),
    ] {
        assert_eq!(allows(rule.clone(), &peer, &url("/")), expected, "{rule:?}");
        assert_eq!(allows(rule.clone(), &stranger(), &url("/")), of_stranger, "{rule:?}");
        // They are the connection's, so that no request is needed to know them.
        let verdict = judge_tcp(&policies([policy(Action::Allow, vec![rule.clone()])]), &peer);
        assert_eq!(verdict == Verdict::Allow, expected, "{rule:?} without a request");
    }
}

#[test]
fn sources_operations_and_conditions_must_all_match() {
    let rule = PolicyRule {
        from: principals("*/sa/a").from.into_iter().chain(principals("*/sa/b").from).collect(),
        to: methods("GET").to.into_iter().chain(paths("/x").to).collect(),
        when: vec![
            Condition::SourceNamespace(one_of([text("a")])),
            Condition::RequestHeader("x".into(), one_of([text("1")])),
        ],
        unsupported: vec![],
    };
    let good = url("/").header("x", "1");
    assert!(allows(rule.clone(), &pod("a", "a"), &good));
    assert!(allows(rule.clone(), &pod("a", "b"), &good));
    assert!(!allows(rule.clone(), &pod("a", "c"), &good));
    assert!(!allows(rule.clone(), &pod("b", "a"), &good));
    assert!(!allows(rule.clone(), &pod("a", "a"), &url("/")));
    let post = Request::new("POST", "http://s/y").header("x", "1");
    assert!(!allows(rule, &pod("a", "a"), &post));
}

#[test]
fn addresses_and_ports_are_those_of_the_connection() {
    let blocks = |block: &str| one_of([block.parse().unwrap()]);
    let source = from(Source { ip_blocks: blocks("10.1.0.0/16"), ..Source::default() });
    let cases = [
        (source, true),
        (when(Condition::SourceIp(blocks("10.2.0.0/16"))), false),
        (when(Condition::SourceIp(blocks("10.1.0.9"))), true),
        (when(Condition::DestinationIp(blocks("10.0.0.1"))), true),
        (when(Condition::DestinationIp(blocks("10.1.0.9"))), false),
        (when(Condition::DestinationPort(one_of([80]))), true),
        (when(Condition::DestinationPort(none_of([80]))), false),
        (ports(80), true),
        (ports(8080), false),
        (when(Condition::SourcePrincipal(one_of([text("*/sa/b")]))), true),
    ];
    for (rule, expected) in cases {
        assert_eq!(allows(rule.clone(), &pod("a", "b"), &url("/")), expected, "{rule:?}");
    }
}

#[test]
fn an_absent_header_passes_only_negated_values() {
    let header = |values| when(Condition::RequestHeader("x".into(), values));
    assert!(!allows(header(one_of([text("*")])), &stranger(), &url("/")));
    assert!(allows(header(none_of([text("1")])), &stranger(), &url("/")));
    assert!(!allows(header(none_of([text("1")])), &stranger(), &url("/").header("x", "1")));
    assert!(allows(header(one_of([text("*")])), &stranger(), &url("/").header("x", "1")));
    assert!(!allows(header(one_of([text("*")])), &stranger(), &url("/").header("x", "")));
}

#[test]
fn an_unsupported_attribute_makes_allow_narrower_and_deny_wider() {
    let rule = PolicyRule { unsupported: vec!["remoteIpBlocks".into()], ..methods("GET") };
    let allow = policies([policy(Action::Allow, vec![rule.clone()])]);
    assert_eq!(judge(&allow, &stranger(), &url("/")), NOT_ALLOWED);
    let deny = policies([policy(Action::Deny, vec![rule])]);
    let verdict = judge(&deny, &stranger(), &url("/"));
    assert_eq!(verdict, denied_by("ns[default]-policy[p]-rule[0]"));
    let post = Request::new("POST", "http://s/");
    assert_eq!(judge(&deny, &stranger(), &post), Verdict::Allow);
}

#[test]
fn on_opaque_tcp_an_http_attribute_makes_allow_narrower_and_deny_wider() {
    let denied = denied_by("ns[default]-policy[p]-rule[0]");
    let header = when(Condition::RequestHeader("x".into(), one_of([text("1")])));
    for rule in [methods("GET"), paths("/x"), hosts("s"), header] {
        let allow = policies([policy(Action::Allow, vec![rule.clone()])]);
        assert_eq!(judge_tcp(&allow, &stranger()), NOT_ALLOWED, "{rule:?}");
        let deny = policies([policy(Action::Deny, vec![rule.clone()])]);
        assert_eq!(judge_tcp(&deny, &stranger()), denied, "{rule:?}");
    }
    let from_a = PolicyRule { from: principals("*/sa/a").from, ..methods("GET") };
    let deny = policies([policy(Action::Deny, vec![from_a])]);
    assert_eq!(judge_tcp(&deny, &pod("x", "a")), denied);
    assert_eq!(judge_tcp(&deny, &pod("x", "b")), Verdict::Allow);
    let allow = policies([policy(Action::Allow, vec![ports(80)])]);
    assert_eq!(judge_tcp(&allow, &stranger()), Verdict::Allow);
}

#[test]
fn a_dry_run_policy_decides_nothing_and_tells_what_it_would() {
    let deny = AuthorizationPolicy { dry_run: true, ..policy(Action::Deny, vec![methods("GET")]) };
    let policies = policies([deny, policy(Action::Allow, vec![PolicyRule::default()])]);
    let (peer, request) = (stranger(), url("/"));
    let subject = Subject { peer: &peer, destination: destination(), head: Some(&request) };
    assert_eq!(policies.judge(&subject), Verdict::Allow);
    assert_eq!(policies.shadow(&subject), Some(denied_by("ns[default]-policy[p]-rule[0]")));
    assert_eq!(Policies::default().shadow(&subject), None);
}

#[test]
fn of_several_rules_that_deny_the_first_is_named_however_they_are_found() {
    let denies = [
        paths("/other"),
        principals("cluster.local/ns/a/*"),
        paths("/x*"),
        methods("GET"),
        paths("/xyz"),
    ];
    let (get, delete) =
        (Request::new("GET", "http://s/xyz"), Request::new("DELETE", "http://s/xyz"));
    let cases = [
        (0, pod("a", "x"), &get, "rule[1]"),
        (0, pod("b", "x"), &get, "rule[2]"),
        (3, pod("b", "x"), &get, "rule[0]"),
        (3, stranger(), &delete, "rule[1]"),
    ];
    for (skipped, peer, request, rule) in cases {
        let rules = denies.iter().skip(skipped).cloned().collect();
        let verdict = judge(&policies([policy(Action::Deny, rules)]), &peer, request);
        assert_eq!(
            verdict,
            denied_by(&format!("ns[default]-policy[p]-{rule}")),
            "{skipped} {rule}"
        );
    }
}
