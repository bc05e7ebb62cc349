//! A story: one promise of the product, told in IPv4 and in IPv6.

use anyhow::Result;
use nix::unistd::geteuid;

use crate::lab::{Family, Gateway, Lab, LabBuilder, Namespace, Object, Pod, Service, WaypointPod};

pub use self::load::{PER_SECOND, none_fails_under_load, under_load};

mod load;

/// Defines a story as a module with one test per address family.
///
/// ```ignore
/// story!(a_labelled_namespace_is_captured, |lab| { let lab = lab.start()?; ... Ok(()) });
/// ```
#[macro_export]
macro_rules! story {
    ($(#[$meta:meta])* $name:ident, $body:expr) => {
        $(#[$meta])*
        mod $name {
            #[allow(unused_imports, reason = "not every story needs everything")]
            use super::*;

            #[test]
            fn v4() {
                $crate::story::tell($crate::lab::Family::V4, $body);
            }

            #[test]
            fn v6() {
                $crate::story::tell($crate::lab::Family::V6, $body);
            }
        }
    };
}

/// Tells a story in one family.
///
/// # Panics
///
/// When the story fails, with the whole chain of causes.
pub fn tell(family: Family, story: impl FnOnce(LabBuilder) -> Result<()>) {
    if !geteuid().is_root() {
        println!("SKIP: needs root, for network namespaces and BPF");
        return;
    }
    if let Err(error) = story(Lab::new(family).with_last_words()) {
        let frames = error.backtrace().to_string();
        let own: Vec<_> = frames.lines().filter(|line| line.contains("at ./tests/")).collect();
        panic!("in {family}: {error:#}\n{}", own.join("\n"));
    }
}

/// Where most stories begin: an enrolled namespace `shop` with a Gateway `waypoint` that nothing
/// uses yet, a client `web`, and the Service `reviews` in front of the pod `reviews-v1`.
pub fn shop(lab: LabBuilder) -> LabBuilder {
    lab.namespace(Namespace::new("shop").enrolled())
        .gateway(Gateway::new("shop", "waypoint"))
        .pod(Pod::new("shop", "web"))
        .pod(Pod::server("shop", "reviews-v1", "reviews"))
        .service(Service::new("shop", "reviews"))
}

/// The same, with the namespace behind its waypoint.
pub fn shop_behind_waypoint(lab: LabBuilder) -> LabBuilder {
    shop(lab).namespace(Namespace::new("shop").enrolled().uses("waypoint"))
}

/// Where most stories of a mesh begin: the client `web` on the node `n1`; on `n2` the pod
/// `reviews-v1` behind the Service `reviews`; and the namespace's waypoint in a pod on some node.
pub fn mesh(lab: LabBuilder, waypoint_on: &str) -> LabBuilder {
    shop_behind_waypoint(lab)
        .nodes(["n1", "n2", "n3"])
        .pod(Pod::server("shop", "reviews-v1", "reviews").on_node("n2"))
        .pod(WaypointPod::of("shop", "waypoint").on_node(waypoint_on))
}

/// The same on two nodes, with the waypoint beside the server.
pub fn two_nodes(lab: LabBuilder) -> LabBuilder {
    mesh(lab, "n2").nodes(["n1", "n2"])
}
