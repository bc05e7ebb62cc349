use proptest::prelude::*;

use super::{is_uid, pod_uid};

const UID: &str = "9d5cbe8f-1f0c-4a53-9c3f-0c9a3a6d7e21";
const OTHER: &str = "00000000-0000-4000-8000-000000000001";
const CONTAINER: &str = "4f1e0d6f2a";

/// What runtimes and kubelets write, by version and driver.
#[test]
fn every_layout_names_the_pod() {
    let underscores = UID.replace('-', "_");
    let slice = format!("kubepods-burstable-pod{underscores}.slice");
    let layouts = [
        // Version 2, systemd: containerd and CRI-O, also the monitor of the latter.
        format!(
            "0::/kubepods.slice/kubepods-burstable.slice/{slice}/cri-containerd-{CONTAINER}.scope"
        ),
        format!("0::/kubepods.slice/kubepods-burstable.slice/{slice}/crio-{CONTAINER}.scope"),
        format!(
            "0::/kubepods.slice/kubepods-burstable.slice/{slice}/crio-conmon-{CONTAINER}.scope"
        ),
        // Version 2, cgroupfs; a guaranteed pod has no class of its own.
        format!("0::/kubepods/pod{UID}/{CONTAINER}"),
        format!("0::/kubepods/besteffort/pod{UID}/{CONTAINER}"),
        // Below a root that the kubelet was given, and inside a container that is a node.
        format!("0::/node1/kubepods/burstable/pod{UID}/{CONTAINER}"),
        format!("0::/docker/77/kubelet.slice/kubelet-kubepods-pod{underscores}.slice/x.scope"),
        // As a process sees it that has a control group namespace of its own.
        format!("0::/../../{slice}/cri-containerd-{CONTAINER}.scope"),
        // Version 1, and both together.
        format!(
            "12:cpuset:/\n4:memory:/kubepods/burstable/pod{UID}/{CONTAINER}\n1:name=systemd:/x\n"
        ),
        format!("4:cpu,cpuacct:/kubepods.slice/{slice}/docker-{CONTAINER}.scope\n0::/\n"),
        // A container that makes groups below its own.
        format!("0::/kubepods/pod{UID}/{CONTAINER}/init.scope"),
    ];
    for layout in layouts {
        assert_eq!(pod_uid(&layout).as_deref(), Some(UID), "{layout}");
    }
}

#[test]
fn the_innermost_of_nested_pods_is_meant() {
    let nested = format!("0::/kubepods/pod{OTHER}/{CONTAINER}/kubepods/pod{UID}/{CONTAINER}\n");
    assert_eq!(pod_uid(&nested).as_deref(), Some(UID));
}

#[test]
fn what_is_no_pod_is_none() {
    let others = [
        String::new(),
        "0::/".to_owned(),
        "0::/system.slice/containerd.service".to_owned(),
        "nonsense".to_owned(),
        format!("0::/kubepods/{UID}"),
        format!("0::/user.slice/tripod{UID}"),
        format!("0::/kubepods/pod{}", &UID[1..]),
        format!("0::/kubepods/pod{UID}x/{CONTAINER}"),
        format!("0::/kubepods/pod{}/{CONTAINER}", UID.replace('-', "_")),
    ];
    for other in others {
        assert_eq!(pod_uid(&other), None, "{other}");
    }
    assert!(is_uid(UID));
    for other in ["", "Kubernetes//Pod/shop/web", &UID.replace('-', "_"), &UID[..35]] {
        assert!(!is_uid(other), "{other}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_without_a_fault(text in ".{0,200}") {
        if let Some(uid) = pod_uid(&text) {
            prop_assert!(is_uid(&uid));
        }
    }

    #[test]
    fn any_uid_comes_back_from_both_drivers(
        uid in "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        above in "(/[a-z0-9.-]{1,12}){0,4}",
        below in "(/[a-z0-9.]{1,12}){0,3}",
    ) {
        let slice = uid.replace('-', "_");
        prop_assert_eq!(pod_uid(&format!("0::{above}/pod{uid}{below}")), Some(uid.clone()));
        let systemd = format!("7:pids:{above}/kubepods-pod{slice}.slice{below}");
        prop_assert_eq!(pod_uid(&systemd), Some(uid));
    }
}
