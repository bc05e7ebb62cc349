//! Unit tests of what needs no namespace of its own; the rest is in the data path's tests.

use std::{io::ErrorKind, path::PathBuf};

use super::*;

fn sockets() -> Sockets {
    Sockets::new(Netns::current().unwrap())
}

#[test]
fn a_pod_of_which_nothing_is_known_is_named() {
    let error = sockets().in_pod(&ObjectName::new("shop", "web"), true).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("shop/web"), "{error}");
}

#[test]
fn a_file_that_is_no_namespace_is_named() {
    let netns = NetnsRef::Path(PathBuf::from("/etc/hostname"));
    let pod = Workload { netns: Some(netns), ..Workload::new(ObjectName::new("shop", "web")) };
    let error = sockets().unix_in(&pod).unwrap_err();
    assert!(error.to_string().contains("/etc/hostname"), "{error}");
}

#[test]
fn a_pod_that_does_not_say_where_it_is_is_where_it_was_found() {
    let (sockets, pod) = (sockets(), Workload::new(ObjectName::new("shop", "web")));
    let error = sockets.unix_in(&pod).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("shop/web"), "{error}");
    let netns = NetnsRef::Path(PathBuf::from("/etc/hostname"));
    sockets.found(HashMap::from([(Arc::clone(&pod.uid), netns)]));
    let error = sockets.unix_in(&pod).unwrap_err();
    assert!(error.to_string().contains("/etc/hostname"), "{error}");
}
