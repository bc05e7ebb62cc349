//! Endpoints outside the cluster.

use std::future::Future;

use super::*;
use crate::{
    mesh::external::{External, NamedEndpoint, Resolution},
    proxy::resolve::{Answer, Looking, Lookup},
    telemetry::metrics::Limit,
};

/// Everybody is at this address.
struct Everybody(IpAddr);

impl Lookup for Everybody {
    fn look_up(&self, _: &str) -> Looking {
        let answer = Answer::Found(vec![self.0], std::time::Duration::from_mins(1));
        Box::pin(async move { answer })
    }
}

/// The Service of [`contents`] as a host outside.
fn outside(resolution: Resolution, ranges: &[&str]) -> Contents {
    let mut contents = contents(bound(), &[]);
    let service = Arc::make_mut(contents.services.get_mut(&name()).unwrap());
    service.external = Some(External {
        entry: name(),
        ranges: ranges.iter().map(|range| range.parse().unwrap()).collect(),
        resolution,
        private: false,
    });
    contents
}

fn by_name() -> Contents {
    let host = "api.example.test".to_owned();
    let named = NamedEndpoint { host, ports: vec![(PORT, 8080)], weight: 1 };
    outside(Resolution::Names(vec![named]), &[])
}

/// Where a client goes that dialled such an address.
async fn reached(contents: &Contents, dialled: &str, found: &str) -> Option<String> {
    let lookup = Box::new(Everybody(found.parse().unwrap()));
    let names = Rc::new(Names::new(lookup, Arc::default(), Limit::default()));
    let view = view(contents, &Rc::default(), None).resolving(names);
    let dialled: SocketAddr = dialled.parse().unwrap();
    let target = view.target(dialled)?;
    let cluster = view.default_cluster(&target, dialled);
    let cluster = view.settled(cluster, dialled).await;
    cluster.choose(&[], &mut |_| 0).map(|endpoint| endpoint.address.to_string())
}

async fn in_local(test: impl Future<Output = ()>) {
    tokio::task::LocalSet::new().run_until(test).await;
}

#[tokio::test]
async fn who_asks_first_waits_for_the_name() {
    in_local(async {
        let contents = by_name();
        let reached = reached(&contents, "10.0.0.1:80", "192.0.2.1").await;
        assert_eq!(reached.as_deref(), Some("192.0.2.1:8080"));
    })
    .await;
}

#[tokio::test]
async fn what_is_behind_a_name_weighs_what_its_endpoint_does() {
    in_local(async {
        let host = "api.example.test".to_owned();
        let named = NamedEndpoint { host, ports: vec![(PORT, 8080)], weight: 3 };
        let mut contents = outside(Resolution::Names(vec![named]), &[]);
        let service = Arc::make_mut(contents.services.get_mut(&name()).unwrap());
        service.endpoints.push(MeshEndpoint {
            address: "192.0.2.2".parse().unwrap(),
            workload: None,
            ports: vec![(PORT, 8080)],
            ready: true,
            weight: 1,
        });
        let lookup = Box::new(Everybody("192.0.2.1".parse().unwrap()));
        let names = Rc::new(Names::new(lookup, Arc::default(), Limit::default()));
        let view = view(&contents, &Rc::default(), None).resolving(names);
        let dialled = "10.0.0.1:80".parse().unwrap();
        let target = view.target(dialled).unwrap();
        let cluster = view.settled(view.default_cluster(&target, dialled), dialled).await;
        let mut generator = fastrand::Rng::with_seed(5);
        let mut choose = || cluster.choose(&[], &mut |bound| generator.u32(..bound)).unwrap();
        let named = (0..4_000).filter(|_| choose().address.to_string() == "192.0.2.1:8080").count();
        assert!((2_850..3_150).contains(&named), "{named} of 4000");
    })
    .await;
}

#[tokio::test]
async fn a_name_that_leads_back_to_this_machine_leads_nowhere() {
    in_local(async {
        for address in ["127.0.0.1", "::1", "169.254.169.254"] {
            assert_eq!(reached(&by_name(), "10.0.0.1:80", address).await, None, "{address}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_host_without_endpoints_is_dialled_where_it_was_addressed() {
    in_local(async {
        let contents = outside(Resolution::Original, &["198.18.0.0/15", "2001:db8::/32"]);
        for dialled in ["198.18.7.9:80", "[2001:db8::9]:80", "10.0.0.1:80"] {
            let reached = reached(&contents, dialled, "192.0.2.1").await;
            assert_eq!(reached.as_deref(), Some(dialled));
        }
        assert_eq!(reached(&contents, "198.18.7.9:81", "192.0.2.1").await, None);
    })
    .await;
}

#[test]
fn all_addresses_of_a_range_are_one_target() {
    let contents = outside(Resolution::Original, &["198.18.0.0/15"]);
    let view = view(&contents, &Rc::default(), None);
    let target = |address: &str| view.target(address.parse().unwrap()).unwrap();
    assert!(Rc::ptr_eq(&target("198.18.7.9:80"), &target("198.19.7.9:80")));
}
