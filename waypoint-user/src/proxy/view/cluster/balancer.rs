//! How the next endpoint of a cluster is chosen, as its TrafficPolicy has it.
//!
//! The choices themselves are `balance`'s; here is what they are made of.

use std::{cell::RefCell, net::SocketAddr, time::Duration};

use crate::{
    balance::{
        FULL, is_panic, least_request, maglev, random, ring::Ring, round_robin::RoundRobin,
        slow_start, weights,
    },
    mesh::traffic_policy::{Algorithm, LoadBalancing, SlowStart},
    proxy::regime::ClusterHealth,
};

use super::Endpoint;

/// What is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::proxy) struct Ask<'a> {
    /// Endpoints that are not to be chosen again.
    pub(in crate::proxy) tried: &'a [SocketAddr],
    /// What of the request is hashed, where anything is.
    pub(in crate::proxy) hash: Option<u64>,
}

/// What outlives a change of the mesh, as long as the endpoints stay.
#[derive(Debug)]
pub(in crate::proxy) enum Order {
    /// There is none.
    None,
    /// Whose turn it is.
    Turns(RefCell<RoundRobin>),
    /// The same, of endpoints that weigh differently.
    Weighed(RefCell<weights::Turns>),
    /// A ring.
    Ring(Ring),
    /// A table.
    Table(maglev::Table),
}

impl Order {
    /// An order of endpoints at these addresses, with what they weigh.
    pub(super) fn new(algorithm: &Algorithm, endpoints: &[(SocketAddr, u32)]) -> Self {
        let is_even = endpoints.windows(2).all(|two| matches!(two, [a, b] if a.1 == b.1));
        let named = endpoints.iter().map(|(address, weight)| (address.to_string(), *weight));
        match algorithm {
            Algorithm::LeastRequest | Algorithm::Random | Algorithm::PeakEwma => Self::None,
            Algorithm::RoundRobin if is_even => Self::Turns(RefCell::default()),
            Algorithm::RoundRobin => Self::Weighed(RefCell::default()),
            Algorithm::RingHash(_) => Self::Ring(Ring::new(named)),
            Algorithm::Maglev(_) => Self::Table(maglev::Table::new(named)),
        }
    }

    /// Whether it is one that the algorithm needs.
    pub(super) fn is_for(&self, algorithm: &Algorithm) -> bool {
        match algorithm {
            Algorithm::LeastRequest | Algorithm::Random | Algorithm::PeakEwma => {
                matches!(self, Self::None)
            }
            Algorithm::RoundRobin => matches!(self, Self::Turns(_) | Self::Weighed(_)),
            Algorithm::RingHash(_) => matches!(self, Self::Ring(_)),
            Algorithm::Maglev(_) => matches!(self, Self::Table(_)),
        }
    }
}

/// Endpoints among which one is chosen, and by what.
pub(super) struct Candidates<'a> {
    pub(super) endpoints: &'a [Endpoint],
    /// Whether all of them weigh the same.
    pub(super) is_even: bool,
    pub(super) rules: &'a LoadBalancing,
    pub(super) order: &'a Order,
    /// Who is left out, if anybody is.
    pub(super) health: Option<&'a ClusterHealth>,
    /// The time, as [`Endpoint::since`] and health count it.
    pub(super) now: Duration,
}

impl Candidates<'_> {
    /// The index of the endpoint that is chosen.
    pub(super) fn choose(&self, ask: &Ask<'_>, dice: &mut dyn FnMut(u32) -> u32) -> Option<usize> {
        let out = self.left_out();
        let may = |index: usize| {
            let endpoint = self.endpoints.get(index);
            endpoint.is_some_and(|one| !ask.tried.contains(&one.address))
                && !out.get(index).is_some_and(|out| *out)
        };
        match (self.order, ask.hash) {
            (Order::Ring(ring), Some(hash)) => return ring.find(hash, may),
            (Order::Table(table), Some(hash)) => return table.find(hash, may),
            (Order::Turns(turns), _) => {
                let share = |index| if may(index) { self.share(index) } else { 0 };
                return turns.borrow_mut().choose(self.endpoints.len(), share);
            }
            (Order::Weighed(turns), _) => {
                let part = |index| if may(index) { self.part(index) } else { 0 };
                return turns.borrow_mut().choose(self.endpoints.len(), part);
            }
            _ => {}
        }
        let left: Vec<usize> = (0..self.endpoints.len()).filter(|index| may(*index)).collect();
        let chosen = if self.is_even { self.any(&left, dice)? } else { self.weighed(&left, dice)? };
        left.get(chosen).copied()
    }

    /// One of those that are left, which all weigh the same.
    fn any(&self, left: &[usize], dice: &mut dyn FnMut(u32) -> u32) -> Option<usize> {
        let at = |place: usize| left.get(place).copied().unwrap_or_default();
        let share = |place| self.share(at(place));
        match (&self.rules.algorithm, &self.rules.slow_start) {
            (Algorithm::PeakEwma, _) => {
                least_request(left.len(), |place| self.cost(at(place)), dice)
            }
            (Algorithm::LeastRequest, None) => {
                least_request(left.len(), |place| self.outstanding(at(place)), dice)
            }
            (Algorithm::LeastRequest, Some(_)) => {
                let (one, other) =
                    (random(left.len(), share, dice)?, random(left.len(), share, dice)?);
                let is_less = self.outstanding(at(other)) < self.outstanding(at(one));
                Some(if is_less { other } else { one })
            }
            _ => random(left.len(), share, dice),
        }
    }

    /// One of those that are left, by what each weighs.
    fn weighed(&self, left: &[usize], dice: &mut dyn FnMut(u32) -> u32) -> Option<usize> {
        let at = |place: usize| left.get(place).copied().unwrap_or_default();
        let part = |place| self.part(at(place));
        // What is outstanding at an endpoint that weighs as much as one does in the mean.
        let weights: u32 = left.iter().map(|index| self.weight(*index)).sum();
        let mean = f64::from(weights) / f64::from(u32::try_from(left.len()).unwrap_or(u32::MAX));
        let waiting = |index| {
            f64::from(self.outstanding(index)) * mean / f64::from(self.weight(index).max(1))
        };
        match &self.rules.algorithm {
            Algorithm::PeakEwma => {
                let weight = |place| self.weight(at(place));
                let cost = |place| self.cost_of(at(place), waiting(at(place)));
                weights::least_request(left.len(), (weight, cost), dice)
            }
            Algorithm::LeastRequest => {
                let load = |place| waiting(at(place));
                weights::least_request(left.len(), (part, load), dice)
            }
            _ => weights::draw(left.len(), part, dice),
        }
    }

    /// Which endpoints are ejected; nothing where none is, or so many that all are needed.
    fn left_out(&self) -> Vec<bool> {
        if !self.health.is_some_and(|health| health.has_ejected(self.now)) {
            return Vec::new();
        }
        let out: Vec<bool> =
            self.endpoints.iter().map(|endpoint| endpoint.is_ejected(self.now)).collect();
        let left = out.iter().filter(|out| !**out).count();
        if is_panic(left, out.len(), self.rules.panic_threshold) { Vec::new() } else { out }
    }

    fn share(&self, index: usize) -> u32 {
        let Some(slow) = &self.rules.slow_start else { return FULL };
        let share = |endpoint: &Endpoint| self.share_of(endpoint, slow);
        self.endpoints.get(index).map_or(0, share)
    }

    fn share_of(&self, endpoint: &Endpoint, slow: &SlowStart) -> u32 {
        slow_start::share(self.now.saturating_sub(endpoint.since()), slow)
    }

    fn weight(&self, index: usize) -> u32 {
        self.endpoints.get(index).map_or(0, |endpoint| endpoint.weight)
    }

    /// How much of the requests an endpoint gets for now, beside the others.
    fn part(&self, index: usize) -> u32 {
        self.weight(index).saturating_mul(self.share(index))
    }

    fn outstanding(&self, index: usize) -> u32 {
        self.endpoints.get(index).map_or(u32::MAX, Endpoint::outstanding)
    }

    fn cost(&self, index: usize) -> f64 {
        self.cost_of(index, f64::from(self.outstanding(index)))
    }

    fn cost_of(&self, index: usize, waiting: f64) -> f64 {
        self.endpoints.get(index).map_or(f64::MAX, |endpoint| endpoint.cost(waiting, self.now))
    }
}

/// Brings what endpoints weigh in order: whether they weigh differently.
pub(super) fn weigh(endpoints: &mut [Endpoint]) -> bool {
    let declared: Vec<u32> = endpoints.iter().map(|endpoint| endpoint.weight).collect();
    let weights = weights::of(&declared);
    let even = weights.is_none().then(|| vec![1; declared.len()]);
    for (endpoint, weight) in endpoints.iter_mut().zip(weights.iter().chain(&even).flatten()) {
        endpoint.weight = *weight;
    }
    weights.is_some()
}
