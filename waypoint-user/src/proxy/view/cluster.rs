//! Endpoints, and how many requests each has outstanding.

use std::{
    net::{IpAddr, SocketAddr},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    balance::least_request,
    mesh::{
        address::is_special,
        object::ObjectName,
        service::{AppProtocol, Service},
        snapshot::Snapshot,
        traffic_policy::{Algorithm, HashKey, LoadBalancing, TrafficPolicy},
        workload::Workload,
    },
    proxy::{
        regime::{ClusterHealth, Outcome, Regimes},
        resolve::Names,
    },
    select::{Place, nearest},
    telemetry::metrics::traffic::ServiceLabels,
};

mod balancer;
mod bounds;
mod load;

use self::balancer::{Candidates, Order, weigh};
pub(in crate::proxy) use self::{
    balancer::Ask,
    bounds::{Bounds, Held, Turn},
    load::{InFlight, Loads},
};
use load::{Load, Watch};

/// The endpoints that take the traffic of a Service's port, or of a pod.
pub(in crate::proxy) struct Cluster {
    /// The port.
    pub(in crate::proxy) port: u16,
    /// What clients dialled.
    pub(in crate::proxy) family: Family,
    /// What is spoken, as declared.
    pub(in crate::proxy) protocol: AppProtocol,
    /// How the access log names it, after `inbound-vip|port|protocol|`.
    pub(in crate::proxy) host: String,
    /// How the access log names it where requests are told of.
    pub(in crate::proxy) log_name: Arc<str>,
    /// How metrics name it.
    pub(in crate::proxy) labels: Rc<ServiceLabels>,
    /// How often answers of name servers had changed when it was made.
    pub(super) version: u64,
    /// Names of endpoints of which nothing is known yet.
    pub(super) unknown: Option<Unknown>,
    endpoints: Vec<Endpoint>,
    balancing: LoadBalancing,
    order: Rc<Order>,
    health: Option<Arc<ClusterHealth>>,
    loads: Rc<Loads>,
    /// Whether all endpoints weigh the same.
    is_even: bool,
    /// Whether nothing but outstanding requests counts.
    is_plain: bool,
}

/// As Istio names what is behind a port that speaks HTTP.
fn log_name(port: u16, host: &str) -> Arc<str> {
    format!("inbound-vip|{port}|http|{host}").into()
}

/// Names that have to be looked up first.
pub(super) struct Unknown {
    /// The Service whose endpoints they lead to.
    pub(super) service: ObjectName,
    /// The names.
    pub(super) names: Vec<String>,
}

/// What endpoints are looked for in.
pub(super) struct Around<'a> {
    /// The mesh.
    pub(super) snapshot: &'a Snapshot,
    /// What each has outstanding.
    pub(super) loads: &'a Rc<Loads>,
    /// What is behind names.
    pub(super) names: &'a Names,
    /// What workers share.
    pub(super) regimes: &'a Arc<Regimes>,
    /// The number of the tables that this is of.
    pub(super) number: u64,
    /// What holds for the endpoints.
    pub(super) policy: Option<&'a TrafficPolicy>,
}

/// An address family.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub(in crate::proxy) enum Family {
    /// IPv4, also when mapped into IPv6.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family of an address.
    pub(in crate::proxy) fn of(address: IpAddr) -> Self {
        if address.to_canonical().is_ipv4() { Self::V4 } else { Self::V6 }
    }
}

/// An endpoint that takes traffic.
#[derive(Clone)]
pub(in crate::proxy) struct Endpoint {
    /// Where to dial.
    pub(in crate::proxy) address: SocketAddr,
    /// The pod, if it is known.
    pub(in crate::proxy) workload: Option<Arc<Workload>>,
    /// How much of the requests it gets, next to its fellows.
    weight: u32,
    load: Rc<Load>,
    watch: Option<Watch>,
    bounds: Option<Rc<Bounds>>,
}

impl Cluster {
    /// The ready endpoints of a Service's port: those of the family that clients dialled, as for an
    /// ordinary Service, or if it has none those of the other; and of these the ones that are near
    /// enough, seen from where this process runs.
    pub(super) fn of_service(
        (service, port): (&Service, u16),
        (family, home): (Family, Place<'_>),
        around: &Around<'_>,
    ) -> Self {
        let Around { snapshot, loads, names, .. } = *around;
        let ready = service.endpoints.iter().filter(|endpoint| endpoint.ready);
        let endpoints = ready.filter_map(|endpoint| {
            let address = SocketAddr::new(endpoint.address, endpoint.target_port(port)?);
            let name = endpoint.workload.as_ref();
            let workload = name.and_then(|name| snapshot.workloads().get(name)).cloned();
            Some(Endpoint::new(address, workload, loads).weighing(endpoint.weight))
        });
        let (named, unknown) = named((service, port), around);
        let endpoints = endpoints.chain(named);
        let (same, other): (Vec<_>, Vec<_>) =
            endpoints.partition(|endpoint| Family::of(endpoint.address.ip()) == family);
        let endpoints = if same.is_empty() { other } else { same };
        let nearness = |one: &Endpoint| {
            let place = Place::of_workload(snapshot, one.workload.as_deref());
            home.nearness_of(place, service.distribution)
        };
        let domain = &snapshot.settings().cluster_domain;
        let mut endpoints = nearest(endpoints, nearness);
        let is_even = !weigh(&mut endpoints);
        let cluster = Self {
            version: names.version(),
            unknown,
            endpoints,
            is_even,
            is_plain: is_even,
            ..Self::empty((service, port), family, domain, loads)
        };
        match around.policy {
            Some(policy) => cluster.governed(&service.name, policy, around),
            None => cluster,
        }
    }

    /// A cluster without endpoints.
    fn empty(
        (service, port): (&Service, u16),
        family: Family,
        domain: &str,
        loads: &Rc<Loads>,
    ) -> Self {
        let host = service.host(domain);
        Self {
            port,
            family,
            protocol: service.port(port).map(|port| port.protocol).unwrap_or_default(),
            log_name: log_name(port, &host),
            host,
            labels: Rc::new(ServiceLabels::of(service, domain)),
            version: 0,
            unknown: None,
            endpoints: Vec::new(),
            balancing: LoadBalancing::default(),
            order: Rc::new(Order::None),
            health: None,
            loads: Rc::clone(loads),
            is_even: true,
            is_plain: true,
        }
    }

    /// The same cluster, as a policy has it.
    fn governed(self, service: &ObjectName, policy: &TrafficPolicy, around: &Around<'_>) -> Self {
        let place = (service.clone(), self.port);
        let rules = &policy.endpoints;
        let mut endpoints = self.endpoints;
        let weighed = endpoints.iter().map(|endpoint| (endpoint.address, endpoint.weight));
        let order = around.loads.order(&place, self.family, &rules.load_balancing, weighed);
        let learns = rules.load_balancing.algorithm == Algorithm::PeakEwma;
        let health = rules.outlier_detection.map(|rules| {
            let addresses = endpoints.iter().map(|endpoint| endpoint.address);
            around.regimes.health(&place, rules, addresses)
        });
        let breaker = around.regimes.breaker(&place, rules.circuit_breaker, around.number);
        let own = around.loads.connections(&place);
        let bounds = Rc::new(Bounds::new(breaker, rules.connect_timeout, own));
        for (index, endpoint) in endpoints.iter_mut().enumerate() {
            let health = health.as_ref();
            let health = health
                .and_then(|(all, hosts)| Some((Arc::clone(all), Arc::clone(hosts.get(index)?))));
            endpoint.watch = Watch::new(learns, health, around.regimes);
            endpoint.bounds = Some(Rc::clone(&bounds));
        }
        Self {
            balancing: rules.load_balancing.clone(),
            order,
            is_plain: self.is_plain
                && rules.load_balancing == LoadBalancing::default()
                && health.is_none(),
            health: health.map(|(all, _)| all),
            endpoints,
            ..self
        }
    }

    /// Where a client dialled, if it may be dialled on its behalf.
    pub(super) fn of_original(
        (service, port): (&Service, u16),
        family: Family,
        domain: &str,
        (there, loads): (Option<Endpoint>, &Rc<Loads>),
    ) -> Self {
        let endpoints = there.into_iter().collect();
        Self { endpoints, ..Self::empty((service, port), family, domain, loads) }
    }

    /// A pod that was dialled itself.
    pub(super) fn of_workload(
        workload: &Arc<Workload>,
        dialled: SocketAddr,
        labels: Rc<ServiceLabels>,
        loads: &Rc<Loads>,
    ) -> Self {
        let endpoint = Endpoint::new(dialled, Some(Arc::clone(workload)), loads);
        let host = workload.name.to_string();
        Self {
            port: dialled.port(),
            family: Family::of(dialled.ip()),
            protocol: AppProtocol::Detect,
            log_name: log_name(dialled.port(), &host),
            host,
            labels,
            version: 0,
            unknown: None,
            endpoints: vec![endpoint],
            balancing: LoadBalancing::default(),
            order: Rc::new(Order::None),
            health: None,
            loads: Rc::clone(loads),
            is_even: true,
            is_plain: true,
        }
    }

    /// The first endpoint whose address is the one that is looked for.
    pub(in crate::proxy) fn find(&self, is_it: impl Fn(SocketAddr) -> bool) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| is_it(endpoint.address))
    }

    /// The endpoint that takes the next request, other than those that were tried; `None` when none
    /// is ready.
    pub(in crate::proxy) fn choose(
        &self,
        tried: &[SocketAddr],
        dice: &mut dyn FnMut(u32) -> u32,
    ) -> Option<&Endpoint> {
        self.choose_for(&Ask { tried, hash: None }, dice)
    }

    /// The same, for a request of which something may be hashed.
    pub(in crate::proxy) fn choose_for(
        &self,
        ask: &Ask<'_>,
        dice: &mut dyn FnMut(u32) -> u32,
    ) -> Option<&Endpoint> {
        if ask.tried.is_empty() && self.is_plain {
            // The common case copies nothing.
            let load =
                |index: usize| self.endpoints.get(index).map_or(u32::MAX, Endpoint::outstanding);
            return self.endpoints.get(least_request(self.endpoints.len(), load, dice)?);
        }
        let candidates = Candidates {
            endpoints: &self.endpoints,
            is_even: self.is_even,
            rules: &self.balancing,
            order: &self.order,
            health: self.health.as_deref(),
            now: self.loads.now(),
        };
        self.endpoints.get(candidates.choose(ask, dice)?)
    }

    /// What of requests is hashed; nothing where nothing is.
    pub(in crate::proxy) fn hash_keys(&self) -> &[HashKey] {
        self.balancing.algorithm.hash_keys()
    }
}

impl Endpoint {
    /// An endpoint at an address, with what is outstanding there.
    pub(super) fn new(address: SocketAddr, workload: Option<Arc<Workload>>, loads: &Loads) -> Self {
        let load = loads.of(address);
        Self { address, workload, weight: 1, load, watch: None, bounds: None }
    }

    /// The same, with what it weighs.
    fn weighing(self, weight: u32) -> Self {
        Self { weight, ..self }
    }

    /// How many requests and connections are outstanding.
    pub(in crate::proxy) fn outstanding(&self) -> u32 {
        self.load.outstanding()
    }

    /// Counts a request or connection as outstanding until the result is dropped.
    pub(in crate::proxy) fn begin(&self) -> InFlight {
        InFlight::new(&self.load)
    }

    /// Learns from how a request was answered that was sent then.
    pub(in crate::proxy) fn answered(&self, outcome: Outcome, sent: Instant) {
        if let Some(watch) = &self.watch {
            watch.answered(&self.load, outcome, sent.elapsed());
        }
    }

    /// What may be open to it and to others of its cluster; anything where no policy says.
    pub(in crate::proxy) fn bounds(&self) -> Option<&Bounds> {
        self.bounds.as_deref()
    }

    /// Since when it is known.
    fn since(&self) -> Duration {
        self.load.since()
    }

    /// Whether it is left out for now.
    fn is_ejected(&self, now: Duration) -> bool {
        self.watch.as_ref().is_some_and(|watch| watch.is_ejected(now))
    }

    /// What one more request is expected to cost that joins so many others here.
    fn cost(&self, waiting: f64, now: Duration) -> f64 {
        self.load.cost(waiting, now)
    }
}

/// The endpoints behind the names of a Service, and the names of which nothing is known yet. A name
/// that leads to a workload of the mesh leads to that workload, which has to prove itself; one that
/// leads back to this machine leads nowhere.
fn named(
    (service, port): (&Service, u16),
    Around { snapshot, loads, names, .. }: &Around<'_>,
) -> (Vec<Endpoint>, Option<Unknown>) {
    let (mut endpoints, mut unknown) = (Vec::new(), Vec::new());
    for endpoint in service.resolution().names() {
        let Some(target) = endpoint.target_port(port) else { continue };
        match names.addresses(&endpoint.host) {
            Some(addresses) => {
                let at = |address: &IpAddr| SocketAddr::new(*address, target);
                let dialled = addresses.iter().map(at).filter(|at| !is_special(at.ip()));
                endpoints.extend(dialled.map(|at| {
                    let workload = snapshot.workload_of_address(at.ip()).cloned();
                    Endpoint::new(at, workload, loads).weighing(endpoint.weight)
                }));
            }
            None => unknown.push(endpoint.host.clone()),
        }
    }
    let unknown =
        (!unknown.is_empty()).then(|| Unknown { service: service.name.clone(), names: unknown });
    (endpoints, unknown)
}
