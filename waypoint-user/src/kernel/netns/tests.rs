use std::{fs, os::unix::fs::MetadataExt, path::Path};

use super::{Netns, remove};
use crate::kernel::netlink::Error;

#[test]
fn a_namespace_is_known_by_the_number_of_its_file() {
    let current = Netns::current().unwrap();
    assert_eq!(current.inode(), fs::metadata("/proc/self/ns/net").unwrap().ino());
    assert_eq!(current.duplicate().unwrap().inode(), current.inode());
}

#[test]
fn what_is_no_namespace_is_refused() {
    for path in ["/etc/hostname", "/proc/self/status", "/"] {
        let error = Netns::open(Path::new(path)).unwrap_err();
        assert!(matches!(error, Error::NotNetns { .. }), "{error}");
    }
}

#[test]
fn a_missing_namespace_is_named() {
    let error = Netns::open(Path::new("/run/netns/no-such")).unwrap_err();
    assert!(error.to_string().starts_with("network namespace /run/netns/no-such: "), "{error}");
}

#[test]
fn removing_what_is_not_there_is_no_error() {
    assert!(!remove(Path::new("/run/no-such-directory/agent")).unwrap());
}
