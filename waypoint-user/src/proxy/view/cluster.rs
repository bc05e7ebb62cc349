//! Endpoints, and how many requests each has outstanding.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    rc::Rc,
    sync::Arc,
};

use crate::{
    balance::least_request,
    mesh::{
        address::is_special,
        object::ObjectName,
        service::{AppProtocol, Service},
        snapshot::Snapshot,
        workload::Workload,
    },
    proxy::resolve::Names,
    select::{Place, nearest},
    telemetry::metrics::traffic::ServiceLabels,
};

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
    /// How metrics name it.
    pub(in crate::proxy) labels: Rc<ServiceLabels>,
    /// How often answers of name servers had changed when it was made.
    pub(super) version: u64,
    /// Names of endpoints of which nothing is known yet.
    pub(super) unknown: Option<Unknown>,
    endpoints: Vec<Endpoint>,
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
    pub(super) loads: &'a Loads,
    /// What is behind names.
    pub(super) names: &'a Names,
}

/// An address family.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
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
    load: Rc<Cell<u32>>,
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
        let Around { snapshot, loads, names } = *around;
        let ready = service.endpoints.iter().filter(|endpoint| endpoint.ready);
        let endpoints = ready.filter_map(|endpoint| {
            let address = SocketAddr::new(endpoint.address, endpoint.target_port(port)?);
            let name = endpoint.workload.as_ref();
            let workload = name.and_then(|name| snapshot.workloads().get(name)).cloned();
            Some(Endpoint::new(address, workload, loads))
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
        Self {
            port,
            family,
            protocol: service.port(port).map(|port| port.protocol).unwrap_or_default(),
            host: service.host(domain),
            labels: Rc::new(ServiceLabels::of(service, domain)),
            version: names.version(),
            unknown,
            endpoints: nearest(endpoints, nearness),
        }
    }

    /// Where a client dialled, if it may be dialled on its behalf.
    pub(super) fn of_original(
        (service, port): (&Service, u16),
        family: Family,
        domain: &str,
        there: Option<Endpoint>,
    ) -> Self {
        Self {
            port,
            family,
            protocol: service.port(port).map(|port| port.protocol).unwrap_or_default(),
            host: service.host(domain),
            labels: Rc::new(ServiceLabels::of(service, domain)),
            version: 0,
            unknown: None,
            endpoints: there.into_iter().collect(),
        }
    }

    /// A pod that was dialled itself.
    pub(super) fn of_workload(
        workload: &Arc<Workload>,
        dialled: SocketAddr,
        labels: Rc<ServiceLabels>,
        loads: &Loads,
    ) -> Self {
        let endpoint = Endpoint::new(dialled, Some(Arc::clone(workload)), loads);
        Self {
            port: dialled.port(),
            family: Family::of(dialled.ip()),
            protocol: AppProtocol::Detect,
            host: workload.name.to_string(),
            labels,
            version: 0,
            unknown: None,
            endpoints: vec![endpoint],
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
        if tried.is_empty() {
            // The common case copies nothing.
            let load =
                |index: usize| self.endpoints.get(index).map_or(u32::MAX, Endpoint::outstanding);
            return self.endpoints.get(least_request(self.endpoints.len(), load, dice)?);
        }
        let untried = |endpoint: &&Endpoint| !tried.contains(&endpoint.address);
        let rest: Vec<&Endpoint> = self.endpoints.iter().filter(untried).collect();
        let load =
            |index: usize| rest.get(index).map_or(u32::MAX, |endpoint| endpoint.outstanding());
        rest.get(least_request(rest.len(), load, dice)?).copied()
    }
}

impl Endpoint {
    /// An endpoint at an address, with what is outstanding there.
    pub(super) fn new(address: SocketAddr, workload: Option<Arc<Workload>>, loads: &Loads) -> Self {
        Self { address, workload, load: loads.of(address) }
    }

    /// How many requests and connections are outstanding.
    pub(in crate::proxy) fn outstanding(&self) -> u32 {
        self.load.get()
    }

    /// Counts a request or connection as outstanding until the result is dropped.
    pub(in crate::proxy) fn begin(&self) -> InFlight {
        self.load.set(self.load.get().saturating_add(1));
        InFlight(Rc::clone(&self.load))
    }
}

/// The endpoints behind the names of a Service, and the names of which nothing is known yet. A name
/// that leads to a workload of the mesh leads to that workload, which has to prove itself; one that
/// leads back to this machine leads nowhere.
fn named(
    (service, port): (&Service, u16),
    Around { snapshot, loads, names }: &Around<'_>,
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
                    Endpoint::new(at, workload, loads)
                }));
            }
            None => unknown.push(endpoint.host.clone()),
        }
    }
    let unknown =
        (!unknown.is_empty()).then(|| Unknown { service: service.name.clone(), names: unknown });
    (endpoints, unknown)
}

/// One outstanding request or connection.
pub(in crate::proxy) struct InFlight(Rc<Cell<u32>>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

/// What is outstanding by address; it outlives views, as requests do.
#[derive(Default)]
pub(in crate::proxy) struct Loads(RefCell<HashMap<SocketAddr, Rc<Cell<u32>>>>);

impl Loads {
    /// The count of an address.
    fn of(&self, address: SocketAddr) -> Rc<Cell<u32>> {
        Rc::clone(self.0.borrow_mut().entry(address).or_default())
    }

    /// Forgets addresses that no view and no request knows.
    pub(super) fn prune(&self) {
        self.0.borrow_mut().retain(|_, load| Rc::strong_count(load) > 1);
    }
}
