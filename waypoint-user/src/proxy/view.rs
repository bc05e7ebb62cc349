//! One worker's view of a Snapshot: what is behind an address, compiled when it is first asked for.
//!
//! It decides nothing: policies are compiled here, routes came compiled, and both are asked
//! elsewhere.
//!
//! **Invariant:** a view belongs to one Snapshot; a change of the mesh makes a new view.
//! **Invariant:** it holds at most one entry for each object of the Snapshot, whatever clients
//! dial.

use std::{
    cell::RefCell,
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    rc::Rc,
    sync::Arc,
};

use crate::{
    mesh::{
        address::IpBlock,
        binding::Binding,
        external::Resolution,
        object::ObjectName,
        route::Conduct,
        service::{AppProtocol, Service},
        snapshot::Snapshot,
        traffic_policy::{Addressed, Timeouts},
        workload::Workload,
    },
    policy::Policies,
    route::{ConnectionRules, ConnectionTable, RuleId, Table},
    telemetry::metrics::traffic::ServiceLabels,
};

use self::{cluster::Around, governed::Governors};
pub(super) use self::{
    cluster::{Ask, Bounds, Cluster, Endpoint, Family, Held, InFlight, Loads, Turn},
    governed::Governed,
    home::Home,
};

use super::{regime::Regimes, resolve::Names, tables::Tables};

mod cluster;
mod governed;
mod home;

/// A Snapshot with what was compiled of it.
pub(super) struct View {
    tables: Arc<Tables>,
    loads: Rc<Loads>,
    /// The waypoint that this process is, if it is one.
    own: Option<ObjectName>,
    home: Home,
    names: Rc<Names>,
    regimes: Arc<Regimes>,
    targets: RefCell<HashMap<Key, Rc<Target>>>,
    clusters: RefCell<HashMap<ObjectName, Vec<Rc<Cluster>>>>,
    guards: RefCell<HashMap<ObjectName, Rc<Policies>>>,
}

/// What clients address.
pub(super) struct Target {
    /// The Service's port, or the pod.
    pub(super) destination: Destination,
    /// The waypoint before it; empty if it has none any more.
    pub(super) waypoint: Arc<str>,
    /// Who may ask it for what.
    pub(super) policies: Policies,
    /// Its routes; `None` for the default route.
    pub(super) table: Option<Arc<Table>>,
    /// Its routes of whole connections; `None` where it has none.
    pub(super) connections: Option<Arc<ConnectionTable>>,
    /// What is spoken, as declared.
    pub(super) protocol: AppProtocol,
    /// How metrics name it.
    pub(super) labels: Rc<ServiceLabels>,
    governors: Governors,
}

impl Target {
    /// The routes by which whole connections of clients of such a namespace go, if any do: those
    /// for all come after whatever routes the namespace has of its own.
    pub(super) fn connection_rules(&self, namespace: Option<&str>) -> Option<&ConnectionRules> {
        let connections = self.connections.as_ref()?;
        // Where bytes are declared, routes of requests have no effect.
        let requests = self.table.as_ref().filter(|_| self.protocol != AppProtocol::Tcp);
        let is_passed = requests.is_some_and(|table| table.is_own(namespace));
        if is_passed && !connections.is_own(namespace) {
            return None;
        }
        connections.rules(namespace)
    }
}

/// A Service's port, or a pod.
pub(super) enum Destination {
    /// A port of a Service.
    Service(Arc<Service>, u16),
    /// A pod, on any port.
    Workload(Arc<Workload>),
}

impl View {
    /// A view of a Snapshot. `before` is the view that it replaces.
    pub(super) fn new(tables: Arc<Tables>, loads: &Rc<Loads>, before: Option<&Self>) -> Self {
        loads.prune();
        Self {
            tables,
            loads: Rc::clone(loads),
            own: before.and_then(|view| view.own.clone()),
            home: before.map(|view| view.home.clone()).unwrap_or_default(),
            names: before.map(|view| Rc::clone(&view.names)).unwrap_or_default(),
            regimes: before.map(|view| Arc::clone(&view.regimes)).unwrap_or_default(),
            targets: RefCell::default(),
            clusters: RefCell::default(),
            guards: RefCell::default(),
        }
    }

    /// The same view, and all that follow it, of a process that is this waypoint.
    pub(super) fn of_waypoint(self, own: Option<ObjectName>) -> Self {
        Self { own, ..self }
    }

    /// The same view, and all that follow it, of a process that runs there.
    pub(super) fn at(self, home: Home) -> Self {
        Self { home, ..self }
    }

    /// The same view, and all that follow it, where these names are known.
    pub(super) fn resolving(self, names: Rc<Names>) -> Self {
        Self { names, ..self }
    }

    /// The same view, and all that follow it, of a process whose workers share this.
    pub(super) fn under(self, regimes: Arc<Regimes>) -> Self {
        Self { regimes, ..self }
    }

    /// The Snapshot.
    pub(super) fn snapshot(&self) -> &Arc<Snapshot> {
        self.tables.snapshot()
    }

    /// What is behind an address. `None` when nothing known is, or when its waypoint cannot be
    /// used.
    pub(super) fn target(&self, address: SocketAddr) -> Option<Rc<Target>> {
        let ip = address.ip().to_canonical();
        let service = self.snapshot().service_of_vip(ip);
        let key = match service {
            Some(service) => {
                let port = service.port(address.port()).map(|port| port.number)?;
                match self.snapshot().range_of(ip) {
                    Some(range) => Key::Range(range, port),
                    None => Key::Service(ip, port),
                }
            }
            None => Key::Workload(ip),
        };
        if let Some(target) = self.targets.borrow().get(&key) {
            return Some(Rc::clone(target));
        }
        let target = match (&key, service) {
            (Key::Service(_, port) | Key::Range(_, port), Some(service)) => {
                self.service_target(service, *port)?
            }
            _ => self.workload_target(self.snapshot().workload_of_address(ip)?)?,
        };
        let target = Rc::new(target);
        self.targets.borrow_mut().insert(key, Rc::clone(&target));
        Some(target)
    }

    /// The TrafficPolicy that holds for requests to a target that such a rule took, if any did;
    /// `base` is how they are brought there without it.
    pub(super) fn governed(
        &self,
        target: &Target,
        rule: Option<&RuleId>,
        base: &Conduct,
    ) -> Option<Rc<Governed>> {
        let Destination::Service(service, port) = &target.destination else { return None };
        if self.snapshot().traffic_policies().is_empty() {
            return None;
        }
        target.governors.get(rule, || {
            let (name, waypoint) = (&service.name, service.binding.waypoint());
            let at = Addressed { service: name, port: *port, waypoint };
            let rule = rule.map(|rule| (rule.kind, &rule.route, rule.name.as_deref()));
            let policy = self.snapshot().policy_of_requests(&at, rule)?;
            Some(Rc::new(Governed::new(policy, name, &self.regimes, base)))
        })
    }

    /// How long connections to a target may take that such a rule took, if any did.
    pub(super) fn times(&self, target: &Target, rule: Option<&RuleId>) -> Timeouts {
        let Destination::Service(service, port) = &target.destination else {
            return Timeouts::default();
        };
        let at =
            Addressed { service: &service.name, port: *port, waypoint: service.binding.waypoint() };
        let rule = rule.map(|rule| (rule.kind, &rule.route, rule.name.as_deref()));
        let policy = self.snapshot().policy_of_requests(&at, rule);
        policy.map(|policy| policy.requests.timeouts).unwrap_or_default()
    }

    /// The policies that hold at a pod itself, whoever is before it.
    pub(super) fn guard(&self, workload: &Workload) -> Rc<Policies> {
        if let Some(known) = self.guards.borrow().get(&workload.name) {
            return Rc::clone(known);
        }
        let guard = Rc::new(Policies::at_destination(self.snapshot(), workload));
        self.guards.borrow_mut().insert(workload.name.clone(), Rc::clone(&guard));
        guard
    }

    /// Somebody to connect to, with what is outstanding there.
    pub(super) fn endpoint(
        &self,
        address: SocketAddr,
        workload: Option<Arc<Workload>>,
    ) -> Endpoint {
        Endpoint::new(address, workload, &self.loads)
    }

    /// The endpoints of a target: a Service's, or the pod itself.
    pub(super) fn default_cluster(&self, target: &Target, dialled: SocketAddr) -> Rc<Cluster> {
        match &target.destination {
            Destination::Service(service, port) => self.cluster_of(service, *port, dialled),
            Destination::Workload(workload) => {
                let labels = Rc::clone(&target.labels);
                Rc::new(Cluster::of_workload(workload, dialled, labels, &self.loads))
            }
        }
    }

    /// The endpoints of a Service's port, for a client that dialled such an address, if there is
    /// such a Service.
    pub(super) fn cluster(
        &self,
        service: &ObjectName,
        port: u16,
        dialled: SocketAddr,
    ) -> Option<Rc<Cluster>> {
        let service = self.snapshot().services().get(service)?;
        service.port(port)?;
        Some(self.cluster_of(service, port, dialled))
    }

    /// The endpoints, when those of their names that nobody asked for before were looked up.
    pub(super) async fn settled(&self, cluster: Rc<Cluster>, dialled: SocketAddr) -> Rc<Cluster> {
        let Some(unknown) = &cluster.unknown else { return cluster };
        self.names.settle(&unknown.names).await;
        self.cluster(&unknown.service, cluster.port, dialled).unwrap_or(cluster)
    }

    fn cluster_of(&self, service: &Arc<Service>, port: u16, dialled: SocketAddr) -> Rc<Cluster> {
        let family = Family::of(dialled.ip());
        let domain = &self.snapshot().settings().cluster_domain;
        if *service.resolution() == Resolution::Original {
            // Only who dialled it can say where it is.
            let owner = self.snapshot().service_of_vip(dialled.ip().to_canonical());
            let is_its = owner.is_some_and(|owner| owner.name == service.name);
            let there = is_its.then(|| SocketAddr::new(dialled.ip().to_canonical(), port));
            let endpoint = there.map(|there| Endpoint::new(there, None, &self.loads));
            let there = (endpoint, &self.loads);
            return Rc::new(Cluster::of_original((service, port), family, domain, there));
        }
        let version = match service.resolution() {
            Resolution::Names(_) => self.names.version(),
            Resolution::Listed | Resolution::Original => 0,
        };
        let same = |cluster: &&Rc<Cluster>| cluster.port == port && cluster.family == family;
        if let Some(known) = self.clusters.borrow().get(&service.name)
            && let Some(cluster) = known.iter().find(same)
            && cluster.version == version
        {
            self.names.want(service.resolution().names());
            return Rc::clone(cluster);
        }
        let home = self.home.place(self.snapshot());
        let (name, waypoint) = (&service.name, service.binding.waypoint());
        let at = Addressed { service: name, port, waypoint };
        let around = Around {
            snapshot: self.snapshot(),
            loads: &self.loads,
            names: &self.names,
            regimes: &self.regimes,
            number: self.tables.number(),
            policy: self.snapshot().policy_of_endpoints(&at).map(Arc::as_ref),
        };
        let cluster = Rc::new(Cluster::of_service((service, port), (family, home), &around));
        let mut clusters = self.clusters.borrow_mut();
        let known = clusters.entry(service.name.clone()).or_default();
        known.retain(|known| !same(&known));
        known.push(Rc::clone(&cluster));
        if version > 0 {
            self.loads.prune();
        }
        cluster
    }

    fn service_target(&self, service: &Arc<Service>, port: u16) -> Option<Target> {
        let domain = &self.snapshot().settings().cluster_domain;
        let first = waypoint(&service.binding)?;
        let second = service.canary.as_ref().map(|canary| &canary.waypoint);
        // The second waypoint of a Service is not bound by the policies of the first.
        let (waypoint, policies) = match second.filter(|second| self.own.as_ref() == Some(*second))
        {
            Some(own) => (own.to_string().into(), Policies::for_canary(self.snapshot(), service)),
            None => (first, Policies::for_service(self.snapshot(), service)),
        };
        Some(Target {
            waypoint,
            policies,
            table: self.tables.of(&service.name, port).cloned(),
            connections: self.tables.of_connections(&service.name, port).cloned(),
            protocol: service.port(port).map(|port| port.protocol).unwrap_or_default(),
            labels: Rc::new(ServiceLabels::of(service, domain)),
            destination: Destination::Service(Arc::clone(service), port),
            governors: Governors::default(),
        })
    }

    fn workload_target(&self, workload: &Arc<Workload>) -> Option<Target> {
        Some(Target {
            waypoint: waypoint(&workload.binding)?,
            policies: Policies::for_workload(self.snapshot(), workload),
            table: None,
            connections: None,
            protocol: AppProtocol::Detect,
            labels: Rc::default(),
            destination: Destination::Workload(Arc::clone(workload)),
            governors: Governors::default(),
        })
    }
}

/// What is looked up once for a view.
#[derive(Eq, PartialEq, Hash)]
enum Key {
    /// An address and port of a Service.
    Service(IpAddr, u16),
    /// A range of a Service, and a port.
    Range(IpBlock, u16),
    /// An address of a pod.
    Workload(IpAddr),
}

/// The waypoint of a binding, by name. Connections to what has none any more are served without
/// one, because they may have been captured a moment before; where a waypoint is asked for and
/// cannot be used, nothing is served, because its policies are not known.
fn waypoint(binding: &Binding) -> Option<Arc<str>> {
    match binding {
        Binding::Bound(waypoint) => Some(waypoint.to_string().into()),
        Binding::Direct => Some(Arc::default()),
        Binding::Refused(_) => None,
    }
}

#[cfg(test)]
mod tests;
