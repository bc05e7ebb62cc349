use std::path::PathBuf;

use super::{of_inner_link, of_namespace, of_outer_link};

#[test]
fn every_setting_is_written_once() {
    let of_outer_link = of_outer_link("wpd0");
    let all = of_namespace().into_iter().chain(of_inner_link()).chain(of_outer_link);
    let mut paths: Vec<PathBuf> = all.map(|sysctl| sysctl.path).collect();
    let count = paths.len();
    paths.sort();
    paths.dedup();
    assert_eq!(paths.len(), count);
}

#[test]
fn settings_of_a_link_name_the_link() {
    assert!(of_inner_link().iter().all(|sysctl| sysctl.path.to_string_lossy().contains("/eth0/")));
    let [outer] = of_outer_link("wpd0").try_into().unwrap();
    assert_eq!(outer.path, PathBuf::from("/proc/sys/net/ipv6/conf/wpd0/disable_ipv6"));
}
