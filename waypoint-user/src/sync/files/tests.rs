use proptest::prelude::*;

use super::*;
use crate::{
    mesh::{report::Severity, snapshot::Settings},
    sync::{Served, translate},
};

/// A Service's document.
fn service(name: &str, ip: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: n}}\n\
         spec: {{clusterIPs: [{ip}], ports: [{{port: 80}}]}}\n---\n"
    )
}

/// A policy's document, with these rules.
fn policy(rules: &str) -> String {
    format!(
        "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n\
         metadata: {{name: p, namespace: n}}\n\
         spec: {{targetRefs: [{{kind: Service, group: '', name: a}}], rules: {rules}}}\n"
    )
}

/// The Services in force, by name and address.
fn in_force(files: &Files) -> String {
    let (objects, report) = files.merge();
    let (snapshot, _) = translate(&objects, &Settings::default(), Served::Here, report);
    let services = snapshot.services().values();
    let shown = services.map(|service| format!("{} {:?}", service.name.name, service.vips));
    shown.collect::<Vec<_>>().join(", ")
}

fn errors(files: &Files) -> Vec<String> {
    let (_, report) = files.merge();
    let errors = report.iter().filter(|(_, one)| one.severity == Severity::Error);
    errors.map(|(object, finding)| format!("{object}: {}", finding.message)).collect()
}

#[test]
fn a_file_that_does_not_parse_leaves_its_objects_as_they_were() {
    let mut files = Files::default();
    files.replace("a.yaml", service("a", "10.0.0.1").as_bytes());
    files.replace("a.yaml", b"kind: [");
    assert_eq!(in_force(&files), "a [10.0.0.1]");
    let [error] = errors(&files).try_into().unwrap();
    assert!(error.starts_with("File a.yaml: a.yaml:1: "), "{error}");
    assert!(error.ends_with("its objects stay as they were"), "{error}");
    files.replace("a.yaml", service("a", "10.0.0.2").as_bytes());
    assert_eq!(in_force(&files), "a [10.0.0.2]");
    assert_eq!(errors(&files), Vec::<String>::new());
}

#[test]
fn a_broken_document_keeps_its_last_good_version_and_changes_no_other() {
    let mut files = Files::default();
    let good = service("a", "10.0.0.1") + &service("b", "10.0.0.2");
    files.replace("a.yaml", good.as_bytes());
    for _ in 0..2 {
        let broken = service("a", "10.0.0.999") + &service("b", "10.0.0.3");
        files.replace("a.yaml", broken.as_bytes());
        assert_eq!(in_force(&files), "a [10.0.0.1], b [10.0.0.3]");
        let [error] = errors(&files).try_into().unwrap();
        assert!(error.starts_with("Service n/a: a.yaml:1: "), "{error}");
        assert!(error.ends_with("its last good version stays in force"), "{error}");
    }
}

#[test]
fn what_is_no_longer_in_a_file_is_gone() {
    let mut files = Files::default();
    let both = service("a", "10.0.0.1") + &service("b", "10.0.0.2");
    files.replace("a.yaml", both.as_bytes());
    files.replace("a.yaml", service("b", "10.0.0.2").as_bytes());
    assert_eq!(in_force(&files), "b [10.0.0.2]");
    files.retain(&BTreeSet::new());
    assert_eq!(in_force(&files), "");
}

#[test]
fn of_two_files_with_one_object_the_first_by_name_counts() {
    let mut files = Files::default();
    files.replace("b.yaml", service("a", "10.0.0.2").as_bytes());
    files.replace("a.yaml", service("a", "10.0.0.1").as_bytes());
    assert_eq!(in_force(&files), "a [10.0.0.1]");
    let (_, report) = files.merge();
    let told: Vec<_> = report.iter().map(|(_, finding)| finding.reason.as_str()).collect();
    assert_eq!(told, ["Duplicate"]);
    files.retain(&BTreeSet::from(["b.yaml".to_owned()]));
    assert_eq!(in_force(&files), "a [10.0.0.2]");
}

#[test]
fn a_policy_that_breaks_keeps_its_last_good_version() {
    let mut files = Files::default();
    files.replace("p.yaml", policy("[{to: [{operation: {ports: ['80']}}]}]").as_bytes());
    let good = policies(&files);
    files.replace("p.yaml", policy("[{to: [{operation: {ports: [http]}}]}]").as_bytes());
    assert_eq!(policies(&files), good);
}

#[test]
fn a_policy_that_was_never_understood_denies_until_it_is() {
    let mut files = Files::default();
    for _ in 0..2 {
        files.replace("p.yaml", policy("[{to: [{operation: {ports: [http]}}]}]").as_bytes());
        assert!(policies(&files).contains("action: Deny"), "{}", policies(&files));
        let told = errors(&files);
        let denied = told.iter().any(|error| error.ends_with("denies everything to its targets"));
        assert!(denied, "{told:?}");
    }
    files.replace("p.yaml", policy("[{}]").as_bytes());
    assert!(policies(&files).contains("action: Allow"), "{}", policies(&files));
}

#[test]
fn a_peer_authentication_that_was_never_understood_is_strict_and_a_known_one_stays() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: n, \
               labels: {istio.io/dataplane-mode: ambient}}\nstatus: {podIP: 10.1.0.1}\n";
    let mode = |mode: &str| {
        format!(
            "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\n\
             metadata: {{name: p, namespace: n}}\nspec: {{mtls: {{mode: {mode}}}}}\n"
        )
    };
    let strict = |files: &Files| {
        let (objects, report) = files.merge();
        let (snapshot, _) = translate(&objects, &Settings::default(), Served::Here, report);
        snapshot.workloads().values().any(|workload| workload.mutual_tls.strict)
    };
    let mut files = Files::default();
    files.replace("pod.yaml", pod.as_bytes());
    assert!(!strict(&files));
    for (text, expected) in [
        (mode("MAYBE"), true),
        (mode("PERMISSIVE"), false),
        (mode("MAYBE"), false),
        (mode("STRICT"), true),
        (mode("[]"), true),
    ] {
        files.replace("a.yaml", text.as_bytes());
        assert_eq!(strict(&files), expected, "{text}");
    }
}

/// Whether waypoint `w` is ready, what it serves, and what is said of its Gateway.
fn served(files: &Files) -> (bool, usize, Vec<(String, String)>) {
    let (objects, report) = files.merge();
    let (snapshot, report) = translate(&objects, &Settings::default(), Served::Here, report);
    let name = ObjectName::new("n", "w");
    let is_ready = snapshot.waypoints().get(&name).is_some_and(|waypoint| waypoint.ready);
    let bound = snapshot.services().values().filter(|service| service.is_served_by(&name)).count();
    let gateway = ObjectRef::new("Gateway", name);
    let told = report.of(&gateway);
    let told = told.map(|finding| (finding.reason.clone(), finding.message.clone())).collect();
    (is_ready, bound, told)
}

#[test]
fn a_gateway_that_loses_its_listener_stays_the_waypoint_that_it_was() {
    let gateway = |class: &str, listener: &str| {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: a, namespace: n, \
             labels: {{istio.io/use-waypoint: w}}}}\n\
             spec: {{clusterIPs: [10.0.0.1], ports: [{{port: 80}}]}}\n---\n\
             apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n\
             metadata: {{name: w, namespace: n}}\n\
             spec: {{gatewayClassName: {class}, listeners: [{{name: mesh, {listener}}}]}}\n"
        )
    };
    let text = |reason: &str, message: &str| (reason.to_owned(), message.to_owned());
    let (hbone, http) = ("port: 15008, protocol: HBONE", "port: 80, protocol: HTTP");
    let cause = "Expected a single listener on port 15008 with protocol \"HBONE\"";
    let mut files = Files::default();
    files.replace("a.yaml", gateway("istio-waypoint", http).as_bytes());
    assert_eq!(served(&files), (false, 0, vec![text("ListenersNotValid", cause)]), "never good");
    files.replace("a.yaml", gateway("istio-waypoint", hbone).as_bytes());
    let good = vec![text("Accepted", "Resource accepted")];
    assert_eq!(served(&files), (true, 1, good.clone()));
    let two = format!("{hbone}}}, {{name: web, {http}");
    for (time, listeners) in [http, http, &two].into_iter().enumerate() {
        files.replace("a.yaml", gateway("istio-waypoint", listeners).as_bytes());
        let message = format!("{cause}; its last good version stays in force");
        let told = vec![text("ListenersNotValid", &message)];
        assert_eq!(served(&files), (true, 1, told), "at {time}: {listeners}");
    }
    files.replace("a.yaml", gateway("istio-waypoint", hbone).as_bytes());
    assert_eq!(served(&files), (true, 1, good));
    // What has another class is another thing.
    files.replace("a.yaml", gateway("envoy", http).as_bytes());
    let (objects, _) = files.merge();
    assert_eq!(objects.gateways[&ObjectName::new("n", "w")].spec.listeners[0].port, 80);
}

#[test]
fn a_gateway_whose_listener_is_misspelt_stays_the_waypoint_that_it_was() {
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: n, \
                   labels: {istio.io/use-waypoint: w}}\n\
                   spec: {clusterIPs: [10.0.0.1], ports: [{port: 80}]}\n---\n";
    let gateway = |from: &str, of: u8| {
        format!(
            "{service}apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n\
             metadata: {{name: w, namespace: n, generation: {of}, labels: {{of: \"{of}\"}}}}\n\
             spec: {{gatewayClassName: istio-waypoint, listeners: [{{name: mesh, port: 15008, \
             protocol: HBONE, allowedRoutes: {{namespaces: {{from: {from}}}}}}}]}}\n\
             status: {{addresses: [{{value: 10.9.0.{of}}}]}}\n"
        )
    };
    let text = |reason: &str, message: &str| (reason.to_owned(), message.to_owned());
    let cause = "allowedRoutes.namespaces: from is Selector, without a selector";
    let mut files = Files::default();
    for of in [1, 2] {
        files.replace("a.yaml", gateway("Selector", of).as_bytes());
        let told = vec![text("ListenersNotValid", cause)];
        assert_eq!(served(&files), (false, 0, told), "never good, for the {of}. time");
    }
    files.replace("a.yaml", gateway("Same", 3).as_bytes());
    assert_eq!(served(&files), (true, 1, vec![text("Accepted", "Resource accepted")]));
    for of in [4, 5] {
        files.replace("a.yaml", gateway("Selector", of).as_bytes());
        let message = format!("{cause}; its last good version stays in force");
        assert_eq!(served(&files), (true, 1, vec![text("ListenersNotValid", &message)]));
        let (objects, _) = files.merge();
        let kept = &objects.gateways[&ObjectName::new("n", "w")];
        assert_eq!(kept.metadata.generation, Some(of.into()));
        assert_eq!(kept.metadata.labels.as_ref().unwrap()["of"], "3");
        let addresses = kept.status.as_ref().unwrap().addresses.as_ref().unwrap();
        assert_eq!(addresses[0].value, format!("10.9.0.{of}"));
    }
    files.replace("a.yaml", gateway("All", 6).as_bytes());
    assert_eq!(served(&files), (true, 1, vec![text("Accepted", "Resource accepted")]));
}

#[test]
fn a_grant_that_is_not_understood_any_more_still_grants() {
    let documents = "apiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: n}\n\
                     spec: {clusterIP: 10.0.0.1, ports: [{port: 80}]}\n---\n\
                     apiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: m}\n\
                     spec: {clusterIP: 10.0.0.2, ports: [{port: 80}]}\n---\n\
                     apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\n\
                     metadata: {name: r, namespace: n}\nspec:\n  \
                     parentRefs: [{group: '', kind: Service, name: s}]\n  \
                     rules: [{backendRefs: [{name: s, namespace: m, port: 80}]}]\n";
    let grant = |from: &str| {
        format!(
            "apiVersion: gateway.networking.k8s.io/v1beta1\nkind: ReferenceGrant\n\
             metadata: {{name: g, namespace: m}}\nspec:\n  from: {from}\n  \
             to: [{{group: '', kind: Service}}]\n"
        )
    };
    let good = grant("[{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: n}]");
    let permitted = |files: &Files| {
        let (objects, report) = files.merge();
        let (_, report) = translate(&objects, &Settings::default(), Served::Here, report);
        !report.iter().any(|(_, finding)| finding.reason == "RefNotPermitted")
    };
    let mut files = Files::default();
    files.replace("a.yaml", documents.as_bytes());
    assert!(!permitted(&files));
    for (text, expected) in [(grant("all"), false), (good, true), (grant("all"), true)] {
        files.replace("g.yaml", text.as_bytes());
        assert_eq!(permitted(&files), expected, "{text}");
    }
    files.replace("g.yaml", b"");
    assert!(!permitted(&files), "a grant that is gone grants nothing");
}

fn policies(files: &Files) -> String {
    let (objects, report) = files.merge();
    let (snapshot, _) = translate(&objects, &Settings::default(), Served::Here, report);
    format!("{:?}", snapshot.policies())
}

/// Text that is often nearly a manifest.
fn almost_a_manifest() -> impl Strategy<Value = String> {
    let kinds = ["Service", "Pod", "Gateway", "HTTPRoute", "AuthorizationPolicy", "EndpointSlice"];
    let versions =
        ["v1", "gateway.networking.k8s.io/v1", "security.istio.io/v1", "discovery.k8s.io/v1"];
    let spec = "[a-zA-Z0-9:{}\\[\\], \"'/*.-]{0,80}";
    (prop::sample::select(kinds.to_vec()), prop::sample::select(versions.to_vec()), spec).prop_map(
        |(kind, version, spec)| {
            format!("apiVersion: {version}\nkind: {kind}\nmetadata: {{name: x}}\nspec: {spec}\n")
        },
    )
}

proptest! {
    #[test]
    fn no_bytes_in_a_file_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        let mut files = Files::default();
        files.replace("a.yaml", &bytes);
        in_force(&files);
    }

    #[test]
    fn no_document_changes_an_object_beside_it(text in almost_a_manifest()) {
        let mut files = Files::default();
        let before = service("a", "10.0.0.1");
        files.replace("a.yaml", before.as_bytes());
        files.replace("a.yaml", (before + &text).as_bytes());
        let (objects, report) = files.merge();
        let (snapshot, _) = translate(&objects, &Settings::default(), Served::Here, report);
        let service = snapshot.services().get(&ObjectName::new("n", "a"));
        prop_assert!(service.is_some_and(|service| service.vips.len() == 1));
    }
}
