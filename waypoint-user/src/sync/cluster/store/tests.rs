use serde_json::json;

use super::*;
use crate::{mesh::report::Severity, sync::cluster::kinds::KINDS};

fn selection(kind: &str) -> Arc<Selection> {
    Arc::new(Selection::all(KINDS.iter().find(|one| one.name == kind).unwrap()))
}

/// A store of these selections.
fn store(selections: &[&Arc<Selection>]) -> Store {
    let mut store = Store::default();
    for one in selections {
        store.add(Arc::clone(one));
    }
    store
}

fn document(name: &str, version: u64, value: Value) -> Document {
    Document { name: ObjectName::new("n", name), version, value }
}

/// A Service with this address.
fn service(name: &str, version: u64, vip: &str) -> Document {
    let metadata = json!({"name": name, "namespace": "n"});
    let spec = json!({"clusterIPs": [vip]});
    let value = json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec});
    document(name, version, value)
}

/// A policy with these rules.
fn policy(version: u64, rules: &Value) -> Document {
    let spec = json!({"rules": rules});
    let mut value = json!({"metadata": {"name": "p", "namespace": "n"}, "spec": spec});
    value["apiVersion"] = "security.istio.io/v1".into();
    value["kind"] = "AuthorizationPolicy".into();
    document("p", version, value)
}

fn applied(document: Document) -> Change {
    Change::Applied(Box::new(document))
}

fn deleted(document: Document) -> Change {
    Change::Deleted(Box::new(document))
}

fn services(store: &Store) -> Vec<String> {
    store.merge().0.services.keys().map(|name| name.name.clone()).collect()
}

fn errors(store: &Store) -> Vec<String> {
    let (_, report) = store.merge();
    let errors = report.iter().filter(|(_, one)| one.severity == Severity::Error);
    errors.map(|(object, finding)| format!("{object}: {}", finding.message)).collect()
}

#[test]
fn an_object_that_does_not_change_changes_nothing() {
    let selection = selection("Service");
    let mut store = store(&[&selection]);
    assert!(store.take(&selection, applied(service("a", 1, "10.0.0.1"))));
    assert!(!store.take(&selection, applied(service("a", 2, "10.0.0.1"))));
    assert!(store.take(&selection, applied(service("a", 3, "10.0.0.2"))));
    assert!(store.take(&selection, deleted(service("a", 4, "10.0.0.2"))));
    assert!(!store.take(&selection, deleted(service("a", 4, "10.0.0.2"))));
    assert_eq!(services(&store), Vec::<String>::new());
}

#[test]
fn what_a_later_list_does_not_have_is_gone_when_that_ends() {
    let selection = selection("Service");
    let mut store = store(&[&selection]);
    let list = |store: &mut Store, names: &[&str]| {
        store.take(&selection, Change::Listing);
        let listed = names.iter().map(|name| service(name, 1, "10.0.0.1")).collect();
        store.take(&selection, Change::Listed(listed))
    };
    list(&mut store, &["a", "b"]);
    assert!(!store.is_complete());
    store.take(&selection, Change::Complete);
    assert!(store.is_complete());
    list(&mut store, &["b", "c"]);
    assert_eq!(services(&store), ["a", "b", "c"]);
    assert!(store.take(&selection, Change::Complete));
    assert_eq!(services(&store), ["b", "c"]);
    assert!(!list(&mut store, &["b", "c"]));
    assert!(!store.take(&selection, Change::Complete), "nothing is new");
}

#[test]
fn a_refused_policy_keeps_its_last_good_version_and_denies_without_one() {
    let selection = selection("AuthorizationPolicy");
    let mut store = store(&[&selection]);
    let of = |store: &Store| store.merge().0.policies.values().cloned().collect::<Vec<_>>();
    store.take(&selection, applied(policy(1, &json!("wrong"))));
    assert!(matches!(of(&store)[..], [crate::sync::objects::Policy::Unread(_)]));
    assert!(errors(&store)[0].ends_with("it denies everything to its targets"));
    store.take(&selection, applied(policy(2, &json!([]))));
    assert_eq!(errors(&store), Vec::<String>::new());
    store.take(&selection, applied(policy(3, &json!("wrong"))));
    assert!(matches!(of(&store)[..], [crate::sync::objects::Policy::Read(_)]));
    let [error] = errors(&store).try_into().unwrap();
    assert!(error.contains("resource version 3: "), "{error}");
    assert!(error.ends_with("its last good version stays in force"), "{error}");
    store.take(&selection, deleted(policy(4, &json!("wrong"))));
    assert_eq!((of(&store).len(), errors(&store).len()), (0, 0));
}

#[test]
fn what_is_said_of_an_object_stays_while_only_its_status_changes() {
    let selection = selection("TrafficPolicy");
    let mut store = store(&[&selection]);
    let policy = |version: u64, generation: u64, status: &str| {
        let metadata = json!({"name": "p", "namespace": "n", "generation": generation});
        let value = json!({
            "apiVersion": "waypoint.dev/v1alpha1", "kind": "TrafficPolicy", "metadata": metadata,
            "spec": {"targetRefs": []}, "status": {"ancestors": [{"controllerName": status}]},
        });
        document("p", version, value)
    };
    store.take(&selection, applied(policy(1, 1, "a")));
    let told = errors(&store);
    assert!(told[0].contains("generation 1: "), "{told:?}");
    assert!(store.take(&selection, applied(policy(2, 1, "b"))));
    assert_eq!(errors(&store), told);
    store.take(&selection, applied(policy(3, 2, "b")));
    assert_ne!(errors(&store), told);
}

#[test]
fn nothing_is_enforced_before_what_is_vital_could_be_read() {
    let (policies, routes) = (selection("AuthorizationPolicy"), selection("HTTPRoute"));
    let mut store = store(&[&policies, &routes]);
    let denied = || Change::Failing { told: "forbidden".to_owned(), is_denied: true };
    assert!(store.take(&routes, denied()));
    store.take(&policies, denied());
    assert!(!store.is_complete());
    assert!(errors(&store)[0].ends_with("nothing is enforced before it can be read"));
    store.take(&policies, Change::NotServed);
    assert!(store.is_complete(), "a kind that is not installed has no objects");
    assert_eq!(errors(&store).len(), 1, "{:?}", errors(&store));
    store.take(&routes, Change::Recovered);
    assert_eq!(errors(&store).len(), 0);
}

#[test]
fn a_kind_that_fails_keeps_what_was_read_of_it() {
    let selection = selection("Service");
    let mut store = store(&[&selection]);
    store.take(&selection, Change::Listing);
    store.take(&selection, Change::Listed(vec![service("a", 1, "10.0.0.1")]));
    store.take(&selection, Change::Complete);
    let failing = || Change::Failing { told: "refused".to_owned(), is_denied: true };
    assert!(store.take(&selection, failing()));
    assert!(!store.take(&selection, failing()));
    assert!(store.is_complete());
    assert_eq!(services(&store), ["a"]);
    assert!(errors(&store)[0].ends_with("what was read of it stays in force"));
    store.take(&selection, Change::NotServed);
    assert_eq!(services(&store), Vec::<String>::new());
}

#[test]
fn an_object_that_two_selections_hold_stays_until_both_lost_it() {
    let whole = selection("Service");
    let part = Arc::new(Selection { namespace: Some("n".to_owned()), ..(*whole).clone() });
    let mut store = store(&[&whole, &part]);
    store.take(&whole, applied(service("a", 1, "10.0.0.1")));
    store.take(&part, applied(service("a", 2, "10.0.0.2")));
    store.take(&whole, applied(service("a", 1, "10.0.0.9")));
    let vips = |store: &Store| {
        let services = store.merge().0.services.clone();
        let vips = services.values().map(|one| one.spec.clone().unwrap().cluster_ips.unwrap());
        vips.flatten().collect::<Vec<_>>()
    };
    assert_eq!(vips(&store), ["10.0.0.2"], "the newest counts");
    store.take(&part, deleted(service("a", 3, "10.0.0.2")));
    assert_eq!(vips(&store), ["10.0.0.9"]);
    store.remove(&whole);
    assert_eq!(vips(&store), Vec::<String>::new());
}
