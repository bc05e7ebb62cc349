//! Endpoints that weigh differently, by every algorithm.

use std::time::Duration;

use proptest::{prelude::*, sample::select};

use super::*;
use crate::{
    balance::hash::hash,
    mesh::traffic_policy::{
        Algorithm, HashKey, LoadBalancing, SlowStart, TrafficPolicy, TrafficTarget,
    },
    proxy::view::{Ask, Cluster},
};

/// The endpoints of a Service that weigh this, as a policy has them balanced.
fn cluster(weights: &[u32], rules: LoadBalancing) -> Rc<Cluster> {
    let mut contents = contents(bound(), &vec![true; weights.len()]);
    let service = Arc::make_mut(contents.services.get_mut(&name()).unwrap());
    for (endpoint, weight) in service.endpoints.iter_mut().zip(weights) {
        endpoint.weight = *weight;
    }
    let targets = vec![TrafficTarget::Service(name())];
    let mut policy = TrafficPolicy { targets, ..TrafficPolicy::default() };
    policy.endpoints.load_balancing = rules;
    contents.traffic_policies.insert(policy.name.clone(), Arc::new(policy));
    view(&contents, &Rc::default(), None).cluster(&name(), PORT, vip(PORT)).unwrap()
}

fn by(algorithm: Algorithm) -> LoadBalancing {
    LoadBalancing { algorithm, ..LoadBalancing::default() }
}

/// Which endpoints so many requests go to that are over at once, without those that were tried.
fn shares(cluster: &Cluster, number: usize, requests: u32, tried: &[SocketAddr]) -> Vec<u32> {
    let mut generator = fastrand::Rng::with_seed(11);
    let mut counts = vec![0; number];
    for request in 0..requests {
        let ask = Ask { tried, hash: Some(hash(&request.to_be_bytes())) };
        let chosen = cluster.choose_for(&ask, &mut |bound| generator.u32(..bound)).unwrap();
        counts[place(chosen.address)] += 1;
    }
    counts
}

fn place(address: SocketAddr) -> usize {
    match address.ip() {
        IpAddr::V4(ip) => ip.octets()[3].into(),
        IpAddr::V6(_) => panic!("{address} is none of them"),
    }
}

fn any_algorithm() -> impl Strategy<Value = Algorithm> {
    let keys = || vec![HashKey::SourceAddress];
    select(vec![
        Algorithm::LeastRequest,
        Algorithm::RoundRobin,
        Algorithm::Random,
        Algorithm::PeakEwma,
        Algorithm::RingHash(keys()),
        Algorithm::Maglev(keys()),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_algorithm_gives_endpoints_what_they_weigh(
        weights in prop::collection::vec(1..30_u32, 1..7), algorithm in any_algorithm(),
        scale in select(vec![1, 1000, 100_000_000]), leave_out: bool,
    ) {
        let requests = 4_000;
        let scaled: Vec<u32> = weights.iter().map(|weight| weight * scale).collect();
        let cluster = cluster(&scaled, by(algorithm.clone()));
        // The ring gives the keys of who is left out to the next, whatever that weighs.
        let is_hashed = !algorithm.hash_keys().is_empty();
        let out = usize::from(leave_out && weights.len() > 1 && !is_hashed);
        let tried = [SocketAddr::from(([10, 1, 0, 0], 8080))];
        let counts = shares(&cluster, weights.len(), requests, &tried[..out]);
        let total: u32 = weights[out..].iter().sum();
        for (index, (count, weight)) in counts.iter().zip(&weights).enumerate() {
            let weight = if index < out { 0 } else { *weight };
            let fair = f64::from(requests) * f64::from(weight) / f64::from(total);
            let slack = if is_hashed { 0.35 * fair + 30.0 } else { 6.0 * fair.sqrt() };
            prop_assert!((f64::from(*count) - fair).abs() <= slack, "{counts:?} for {weights:?}");
        }
    }
}

#[test]
fn without_a_policy_endpoints_get_what_they_weigh_and_a_busy_one_less() {
    let mut contents = contents(bound(), &[true, true]);
    let service = Arc::make_mut(contents.services.get_mut(&name()).unwrap());
    service.endpoints[1].weight = 3;
    let cluster = view(&contents, &Rc::default(), None).cluster(&name(), PORT, vip(PORT)).unwrap();
    let counts = shares(&cluster, 2, 4_000, &[]);
    assert!((900..1_100).contains(&counts[0]), "{counts:?}");
    // Two requests for a weight of three are less than one for a weight of one, and four more.
    let heavy = cluster.find(|address| place(address) == 1).unwrap();
    let light = cluster.find(|address| place(address) == 0).unwrap();
    let mut busy = vec![light.begin(), heavy.begin(), heavy.begin()];
    let before = shares(&cluster, 2, 4_000, &[]);
    busy.extend([heavy.begin(), heavy.begin()]);
    let after = shares(&cluster, 2, 4_000, &[]);
    assert!(before[0] < 400 && after[0] > 1_500, "{before:?}, {after:?}");
}

#[test]
fn a_new_endpoint_begins_with_a_part_of_what_it_weighs() {
    let slow_start = Some(SlowStart { window: Duration::from_hours(1), aggression: 1000 });
    for algorithm in [Algorithm::Random, Algorithm::RoundRobin, Algorithm::LeastRequest] {
        let rules = LoadBalancing { slow_start, ..by(algorithm) };
        // All are equally new: parts of parts are as the weights are.
        let counts = shares(&cluster(&[1, 3], rules), 2, 4_000, &[]);
        assert!((900..1_100).contains(&counts[0]), "{counts:?}");
    }
}

#[test]
fn turns_begin_anew_only_when_endpoints_or_weights_change() {
    let loads = Rc::default();
    let mut contents = contents(bound(), &[true, true, true]);
    let targets = vec![TrafficTarget::Service(name())];
    let mut policy = TrafficPolicy { targets, ..TrafficPolicy::default() };
    policy.endpoints.load_balancing = by(Algorithm::RoundRobin);
    contents.traffic_policies.insert(policy.name.clone(), Arc::new(policy));
    let mut before = None;
    let mut seen = Vec::new();
    for weights in [[5, 1, 1], [5, 1, 1], [1, 1, 1], [1, 1, 1]] {
        let service = Arc::make_mut(contents.services.get_mut(&name()).unwrap());
        for (endpoint, weight) in service.endpoints.iter_mut().zip(weights) {
            endpoint.weight = weight;
        }
        let now = view(&contents, &loads, before.as_ref());
        let cluster = now.cluster(&name(), PORT, vip(PORT)).unwrap();
        for _ in 0..4 {
            seen.push(place(cluster.choose(&[], &mut |_| 0).unwrap().address));
        }
        before = Some(now);
    }
    assert_eq!(seen, [0, 0, 1, 0, 2, 0, 0, 0, 0, 1, 2, 0, 1, 2, 0, 1]);
}
