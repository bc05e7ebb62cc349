use netlink_packet_route::route::{RouteAttribute, RouteMetric};

use super::{V4, V6, describe, is_same};

#[test]
fn a_route_that_the_kernel_describes_at_more_length_is_recognised() {
    for wanted in V4.routes(7).into_iter().chain(V6.routes(7)) {
        let mut found = wanted.clone();
        found.attributes.insert(0, RouteAttribute::Priority(1024));
        found.attributes.push(RouteAttribute::Metrics(vec![RouteMetric::Mtu(1500)]));
        assert!(is_same(&found, &wanted));
    }
}

#[test]
fn a_route_by_another_link_is_not_ours() {
    let found = V4.routes(8);
    for wanted in V4.routes(7).iter().skip(1) {
        assert!(!found.iter().any(|found| is_same(found, wanted)), "{}", describe(wanted));
    }
}

#[test]
fn each_route_of_a_family_differs_from_the_others() {
    for family in [V4, V6] {
        let routes = family.routes(7);
        for (index, route) in routes.iter().enumerate() {
            assert!(!routes.iter().skip(index + 1).any(|other| is_same(other, route)));
        }
    }
}
