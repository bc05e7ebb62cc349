use std::path::Path;

use proptest::prelude::*;

use super::*;

fn workload(labels: &[(&str, &str)]) -> Workload {
    Workload {
        labels: labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
        owner: "reviews-v1".into(),
        ..Workload::new(ObjectName::new("default", "reviews-v1-abc"))
    }
}

#[test]
fn a_network_namespace_is_a_name_a_path_or_a_process() {
    let cases = [
        ("pod", "/run/netns/pod"),
        ("/proc/7/ns/net", "/proc/7/ns/net"),
        ("pid:7", "/proc/7/ns/net"),
        ("pid", "/run/netns/pid"),
    ];
    for (text, path) in cases {
        let netns = NetnsRef::parse(text).unwrap();
        assert_eq!(netns.path(), Path::new(path));
        assert_eq!(netns.to_string(), text);
    }
}

#[test]
fn what_could_name_another_file_is_no_network_namespace() {
    for text in ["", ".", "..", "a/b", "../a", "pid:", "pid:0", "pid:-1", "pid:x", "pid:4294967296"]
    {
        assert_eq!(NetnsRef::parse(text), None, "{text}");
    }
}

#[test]
fn names_for_metrics_come_from_labels_or_the_owner() {
    let plain = workload(&[]);
    assert_eq!((plain.app(), plain.version()), (None, None));
    assert_eq!(plain.canonical_service(), "reviews-v1");
    assert_eq!(plain.canonical_revision(), "latest");
    let labelled = workload(&[
        ("app", "a"),
        ("app.kubernetes.io/name", "b"),
        ("version", "v1"),
        ("app.kubernetes.io/version", "v2"),
    ]);
    assert_eq!((labelled.app(), labelled.version()), (Some("a"), Some("v1")));
    // Istio prefers Kubernetes' own labels for canonical names.
    assert_eq!(labelled.canonical_service(), "b");
    assert_eq!(labelled.canonical_revision(), "v2");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_name_never_leaves_its_directory(text: String) {
        if let Some(NetnsRef::Name(name)) = NetnsRef::parse(&text) {
            let path = NetnsRef::Name(name).path();
            prop_assert_eq!(path.parent(), Some(Path::new("/run/netns")));
        }
    }
}
