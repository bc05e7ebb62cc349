//! How the next endpoint of a cluster is chosen, as its TrafficPolicy has it.
//!
//! The choices themselves are `balance`'s; here is what they are made of.

use std::{cell::RefCell, net::SocketAddr, time::Duration};

use crate::{
    balance::{
        FULL, is_panic, least_request, maglev, random, ring::Ring, round_robin::RoundRobin,
        slow_start,
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
    /// A ring.
    Ring(Ring),
    /// A table.
    Table(maglev::Table),
}

impl Order {
    /// An order of endpoints at these addresses.
    pub(super) fn new(algorithm: &Algorithm, addresses: &[SocketAddr]) -> Self {
        let names = addresses.iter().map(ToString::to_string);
        match algorithm {
            Algorithm::LeastRequest | Algorithm::Random | Algorithm::PeakEwma => Self::None,
            Algorithm::RoundRobin => Self::Turns(RefCell::default()),
            Algorithm::RingHash(_) => Self::Ring(Ring::new(names)),
            Algorithm::Maglev(_) => Self::Table(maglev::Table::new(names)),
        }
    }

    /// Whether it is one that the algorithm needs.
    pub(super) fn is_for(&self, algorithm: &Algorithm) -> bool {
        match algorithm {
            Algorithm::LeastRequest | Algorithm::Random | Algorithm::PeakEwma => {
                matches!(self, Self::None)
            }
            Algorithm::RoundRobin => matches!(self, Self::Turns(_)),
            Algorithm::RingHash(_) => matches!(self, Self::Ring(_)),
            Algorithm::Maglev(_) => matches!(self, Self::Table(_)),
        }
    }
}

/// Endpoints among which one is chosen, and by what.
pub(super) struct Candidates<'a> {
    pub(super) endpoints: &'a [Endpoint],
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
            _ => {}
        }
        let left: Vec<usize> = (0..self.endpoints.len()).filter(|index| may(*index)).collect();
        let at = |place: usize| left.get(place).copied().unwrap_or_default();
        let share = |place| self.share(at(place));
        let chosen = match (&self.rules.algorithm, &self.rules.slow_start) {
            (Algorithm::PeakEwma, _) => {
                least_request(left.len(), |place| self.cost(at(place)), dice)?
            }
            (Algorithm::LeastRequest, None) => {
                least_request(left.len(), |place| self.outstanding(at(place)), dice)?
            }
            (Algorithm::LeastRequest, Some(_)) => {
                let (one, other) =
                    (random(left.len(), share, dice)?, random(left.len(), share, dice)?);
                let is_less = self.outstanding(at(other)) < self.outstanding(at(one));
                if is_less { other } else { one }
            }
            _ => random(left.len(), share, dice)?,
        };
        left.get(chosen).copied()
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

    fn outstanding(&self, index: usize) -> u32 {
        self.endpoints.get(index).map_or(u32::MAX, Endpoint::outstanding)
    }

    fn cost(&self, index: usize) -> f64 {
        self.endpoints.get(index).map_or(f64::MAX, |endpoint| endpoint.cost(self.now))
    }
}
