//! Unit tests of ranges.

use super::*;
use crate::mesh::{
    external::{External, Resolution},
    object::ObjectName,
};

fn service(name: &str, ranges: &[&str]) -> Arc<Service> {
    let external = External {
        entry: ObjectName::new("shop", "entry"),
        ranges: ranges.iter().map(|range| range.parse().unwrap()).collect(),
        resolution: Resolution::Original,
        private: false,
    };
    let name = ObjectName::new("shop", name);
    Arc::new(Service { external: Some(external), ..Service::new(name) })
}

fn of(services: &[Arc<Service>], owned: &[&str]) -> Ranges {
    Ranges::new(services.iter(), owned.iter().map(|address| address.parse().unwrap()))
}

fn find<'r>(ranges: &'r Ranges, address: &str) -> Option<&'r str> {
    ranges.find(address.parse().unwrap()).map(|(_, service)| service.name.name.as_str())
}

#[test]
fn the_narrowest_range_has_an_address() {
    let all = [
        service("wide", &["198.18.0.0/15", "2001:db8::/32"]),
        service("narrow", &["198.18.7.0/24", "2001:db8:7::/48"]),
    ];
    let ranges = of(&all, &[]);
    for (address, expected) in [
        ("198.18.7.9", Some("narrow")),
        ("198.19.7.9", Some("wide")),
        ("::ffff:198.18.7.9", Some("narrow")),
        ("198.20.0.1", None),
        ("2001:db8:7::9", Some("narrow")),
        ("2001:db8:8::9", Some("wide")),
        ("2001:db9::9", None),
    ] {
        assert_eq!(find(&ranges, address), expected, "{address}");
    }
}

#[test]
fn what_is_somebodys_own_is_in_no_range() {
    let ranges = of(&[service("all", &["0.0.0.0/0", "::/0"])], &["10.1.0.1", "fd00::1"]);
    for address in ["10.1.0.1", "fd00::1", "127.0.0.1", "::1", "169.254.169.254", "fe80::1"] {
        assert_eq!(find(&ranges, address), None, "{address}");
    }
    assert_eq!(find(&ranges, "10.1.0.2"), Some("all"));
    assert_eq!(find(&ranges, "fd00::2"), Some("all"));
    assert_eq!(ranges.exceptions().len(), 2);
}

#[test]
fn of_equal_ranges_the_first_service_has_it() {
    let ranges = of(&[service("a", &["198.18.0.0/15"]), service("b", &["198.18.0.0/15"])], &[]);
    assert_eq!(find(&ranges, "198.18.0.1"), Some("a"));
}
