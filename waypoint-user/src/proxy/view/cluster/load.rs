//! What is outstanding by address, since when an address is known, and what was learnt of it.
//!
//! It belongs to one worker, and outlives views, as requests do.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use crate::{
    balance::ewma::Expectation,
    mesh::traffic_policy::LoadBalancing,
    proxy::regime::{ClusterHealth, Health, Outcome, Place, Regimes},
};

use super::{Family, balancer::Order, bounds::Own};

/// What a worker knows of an address.
pub(super) struct Load {
    outstanding: Cell<u32>,
    since: Duration,
    expected: Cell<Expectation>,
}

impl Load {
    pub(super) fn outstanding(&self) -> u32 {
        self.outstanding.get()
    }

    pub(super) fn since(&self) -> Duration {
        self.since
    }

    /// What a request costs that joins so many others.
    pub(super) fn cost(&self, waiting: f64, now: Duration) -> f64 {
        self.expected.get().cost(waiting, now)
    }
}

/// One outstanding request or connection.
pub(in crate::proxy) struct InFlight(Rc<Load>);

impl InFlight {
    pub(super) fn new(load: &Rc<Load>) -> Self {
        load.outstanding.set(load.outstanding.get().saturating_add(1));
        Self(Rc::clone(load))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.outstanding.set(self.0.outstanding.get().saturating_sub(1));
    }
}

/// Endpoints with what they weigh, and their order.
type Known = (Vec<(SocketAddr, u32)>, Rc<Order>);

/// What is outstanding by address, and the order of what is taken in turns.
#[derive(Default)]
pub(in crate::proxy) struct Loads {
    regimes: Arc<Regimes>,
    addresses: RefCell<HashMap<SocketAddr, Rc<Load>>>,
    orders: RefCell<HashMap<(Place, Family), Known>>,
    connections: RefCell<HashMap<Place, Rc<Own>>>,
}

impl Loads {
    /// Loads that go by the clock of what workers share.
    pub(in crate::proxy) fn new(regimes: &Arc<Regimes>) -> Self {
        Self { regimes: Arc::clone(regimes), ..Self::default() }
    }

    /// The time.
    pub(super) fn now(&self) -> Duration {
        self.regimes.now()
    }

    /// What is known of an address.
    pub(super) fn of(&self, address: SocketAddr) -> Rc<Load> {
        let mut addresses = self.addresses.borrow_mut();
        let new = || {
            let (outstanding, expected) = (Cell::default(), Cell::default());
            Rc::new(Load { outstanding, since: self.regimes.now(), expected })
        };
        Rc::clone(addresses.entry(address).or_insert_with(new))
    }

    /// The connections that this worker has to the endpoints of a Service's port, as far as they
    /// are counted.
    pub(super) fn connections(&self, place: &Place) -> Rc<Own> {
        Rc::clone(self.connections.borrow_mut().entry(place.clone()).or_default())
    }

    /// The order of endpoints, as it was where they are the same.
    pub(super) fn order(
        &self,
        place: &Place,
        family: Family,
        rules: &LoadBalancing,
        endpoints: impl Iterator<Item = (SocketAddr, u32)>,
    ) -> Rc<Order> {
        let endpoints: Vec<(SocketAddr, u32)> = endpoints.collect();
        let mut orders = self.orders.borrow_mut();
        let key = (place.clone(), family);
        if let Some((known, order)) = orders.get(&key)
            && *known == endpoints
            && order.is_for(&rules.algorithm)
        {
            return Rc::clone(order);
        }
        let order = Rc::new(Order::new(&rules.algorithm, &endpoints));
        orders.insert(key, (endpoints, Rc::clone(&order)));
        order
    }

    /// Forgets what no view and no request knows.
    pub(in crate::proxy) fn prune(&self) {
        self.addresses.borrow_mut().retain(|_, load| Rc::strong_count(load) > 1);
        self.orders.borrow_mut().retain(|_, (_, order)| Rc::strong_count(order) > 1);
        self.connections.borrow_mut().retain(|_, count| Rc::strong_count(count) > 1);
    }
}

/// Who is told how an endpoint answers.
#[derive(Clone)]
pub(super) struct Watch {
    learns: bool,
    health: Option<(Arc<ClusterHealth>, Arc<Health>)>,
    regimes: Arc<Regimes>,
}

impl Watch {
    /// Nobody, where nothing is learnt.
    pub(super) fn new(
        learns: bool,
        health: Option<(Arc<ClusterHealth>, Arc<Health>)>,
        regimes: &Arc<Regimes>,
    ) -> Option<Self> {
        let regimes = Arc::clone(regimes);
        (learns || health.is_some()).then_some(Self { learns, health, regimes })
    }

    pub(super) fn answered(&self, load: &Load, outcome: Outcome, took: Duration) {
        let now = self.regimes.now();
        if self.learns {
            let mut expected = load.expected.get();
            expected.learn(took, now);
            load.expected.set(expected);
        }
        if let Some((cluster, health)) = &self.health {
            cluster.answered(health, outcome, now);
        }
    }

    pub(super) fn is_ejected(&self, now: Duration) -> bool {
        self.health.as_ref().is_some_and(|(_, health)| health.is_ejected(now))
    }
}
