//! The whole mesh as this node sees it, at one moment.
//!
//! It is cheap to share (`Arc<Snapshot>`) and never changes; it decides nothing.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::Arc,
};

use super::{
    address::IpBlock,
    label::Labels,
    node::Node,
    object::ObjectName,
    policy::{AuthorizationPolicy, PolicyTarget},
    ranges::Ranges,
    route::{HttpRoute, RouteKind},
    service::Service,
    spiffe::DEFAULT_TRUST_DOMAIN,
    traffic_policy::{Addressed, TrafficPolicy, TrafficTarget},
    waypoint::Waypoint,
    workload::Workload,
};

/// What holds for the whole mesh.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// The trust domain of identities.
    pub trust_domain: String,
    /// The domain of Services' host names.
    pub cluster_domain: String,
    /// The namespace whose policies may apply to every waypoint.
    pub root_namespace: String,
    /// Namespaces whose pods are never enrolled.
    pub excluded_namespaces: Vec<String>,
    /// Which connections of enrolled pods are captured.
    pub capture: CaptureMode,
}

/// Which connections of enrolled pods are captured.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum CaptureMode {
    /// Those that a waypoint takes.
    #[default]
    Waypoint,
    /// Those to every Service and to every enrolled workload, as ztunnel has it.
    Mesh,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            trust_domain: DEFAULT_TRUST_DOMAIN.to_owned(),
            cluster_domain: "cluster.local".to_owned(),
            root_namespace: "istio-system".to_owned(),
            excluded_namespaces: vec!["kube-system".to_owned()],
            capture: CaptureMode::Waypoint,
        }
    }
}

/// What a Snapshot is made of.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Contents {
    /// What holds for the whole mesh.
    pub settings: Settings,
    /// The labels of namespaces.
    pub namespaces: BTreeMap<String, Labels>,
    /// Services by name.
    pub services: BTreeMap<ObjectName, Arc<Service>>,
    /// Workloads by name of their pod.
    pub workloads: BTreeMap<ObjectName, Arc<Workload>>,
    /// Nodes by name.
    pub nodes: BTreeMap<ObjectName, Arc<Node>>,
    /// Waypoints by name.
    pub waypoints: BTreeMap<ObjectName, Arc<Waypoint>>,
    /// HTTPRoutes by name.
    pub routes: BTreeMap<ObjectName, Arc<HttpRoute>>,
    /// GRPCRoutes by name.
    pub grpc_routes: BTreeMap<ObjectName, Arc<HttpRoute>>,
    /// TLSRoutes by name.
    pub tls_routes: BTreeMap<ObjectName, Arc<HttpRoute>>,
    /// TCPRoutes by name.
    pub tcp_routes: BTreeMap<ObjectName, Arc<HttpRoute>>,
    /// Policies by name.
    pub policies: BTreeMap<ObjectName, Arc<AuthorizationPolicy>>,
    /// TrafficPolicies by name.
    pub traffic_policies: BTreeMap<ObjectName, Arc<TrafficPolicy>>,
}

/// The mesh, indexed.
#[derive(Debug, Default)]
pub struct Snapshot {
    contents: Contents,
    service_of_vip: HashMap<IpAddr, Arc<Service>>,
    ranges: Ranges,
    services_of_host: HashMap<String, Vec<Arc<Service>>>,
    workload_of_address: HashMap<IpAddr, Arc<Workload>>,
    services_of_workload: HashMap<ObjectName, Vec<Arc<Service>>>,
    instances_of_waypoint: HashMap<ObjectName, Vec<Arc<Workload>>>,
    routes_of_service: HashMap<ObjectName, Vec<Arc<HttpRoute>>>,
    connection_routes_of_service: HashMap<ObjectName, Vec<Arc<HttpRoute>>>,
    policies_of_target: HashMap<PolicyTarget, Vec<Arc<AuthorizationPolicy>>>,
    pod_policies_of_namespace: HashMap<String, Vec<Arc<AuthorizationPolicy>>>,
    traffic_policy_of_target: HashMap<TrafficTarget, Arc<TrafficPolicy>>,
}

impl Snapshot {
    /// Indexes contents. Where two objects claim an address, the first by name has it, and
    /// Kubernetes Services come before hosts of ServiceEntries; pods of the node's own network have
    /// none.
    pub fn new(contents: Contents) -> Self {
        let mut snapshot = Self { contents, ..Self::default() };
        snapshot.index_addresses();
        snapshot.index_workloads();
        snapshot.index_routes();
        snapshot.index_policies();
        snapshot.index_traffic_policies();
        snapshot
    }

    fn index_addresses(&mut self) {
        let services = self.contents.services.values();
        let (external, own): (Vec<_>, Vec<_>) =
            services.partition(|service| service.external.is_some());
        for service in own.into_iter().chain(external.iter().copied()) {
            for vip in &service.vips {
                self.service_of_vip.entry(*vip).or_insert_with(|| Arc::clone(service));
            }
        }
        for workload in self.contents.workloads.values().filter(|w| !w.host_network) {
            for address in &workload.addresses {
                let index = &mut self.workload_of_address;
                index.entry(*address).or_insert_with(|| Arc::clone(workload));
            }
        }
        for service in &external {
            let host = service.host(&self.contents.settings.cluster_domain);
            self.services_of_host.entry(host).or_default().push(Arc::clone(service));
        }
        let vips = self.service_of_vip.keys().copied();
        let workloads = self.contents.workloads.values().flat_map(|one| one.addresses.clone());
        let nodes = self.contents.nodes.values().flat_map(|node| node.addresses.clone());
        let owned = vips.chain(workloads).chain(nodes);
        self.ranges = Ranges::new(external.into_iter(), owned);
    }

    fn index_workloads(&mut self) {
        for workload in self.contents.workloads.values() {
            if let Some(waypoint) = &workload.instance_of {
                let instances = self.instances_of_waypoint.entry(waypoint.clone()).or_default();
                instances.push(Arc::clone(workload));
            }
        }
        for service in self.contents.services.values() {
            for name in service.endpoints.iter().filter_map(|one| one.workload.as_ref()) {
                let services = self.services_of_workload.entry(name.clone()).or_default();
                if services.last().is_none_or(|last| last.name != service.name) {
                    services.push(Arc::clone(service));
                }
            }
        }
    }

    fn index_routes(&mut self) {
        let Contents { routes, grpc_routes, tls_routes, tcp_routes, .. } = &self.contents;
        let all = [routes, grpc_routes, tls_routes, tcp_routes];
        for route in all.into_iter().flat_map(BTreeMap::values) {
            let index = if route.kind.is_of_connections() {
                &mut self.connection_routes_of_service
            } else {
                &mut self.routes_of_service
            };
            for parent in &route.parents {
                let routes = index.entry(parent.service.clone()).or_default();
                if !routes.iter().any(|known| Arc::ptr_eq(known, route)) {
                    routes.push(Arc::clone(route));
                }
            }
        }
    }

    fn index_policies(&mut self) {
        for policy in self.contents.policies.values() {
            for target in &policy.targets {
                if matches!(target, PolicyTarget::Pods(_)) {
                    let home = policy.name.namespace.clone();
                    let policies = self.pod_policies_of_namespace.entry(home).or_default();
                    policies.push(Arc::clone(policy));
                } else {
                    let policies = self.policies_of_target.entry(target.clone()).or_default();
                    policies.push(Arc::clone(policy));
                }
            }
        }
    }

    fn index_traffic_policies(&mut self) {
        for policy in self.contents.traffic_policies.values() {
            let named = policy.targets.iter().map(|target| (target.clone(), Arc::clone(policy)));
            self.traffic_policy_of_target.extend(named);
        }
    }

    /// What holds for the whole mesh.
    pub fn settings(&self) -> &Settings {
        &self.contents.settings
    }

    /// The labels of namespaces; one that is not here has none.
    pub fn namespaces(&self) -> &BTreeMap<String, Labels> {
        &self.contents.namespaces
    }

    /// Services by name.
    pub fn services(&self) -> &BTreeMap<ObjectName, Arc<Service>> {
        &self.contents.services
    }

    /// Workloads by name of their pod.
    pub fn workloads(&self) -> &BTreeMap<ObjectName, Arc<Workload>> {
        &self.contents.workloads
    }

    /// Nodes by name.
    pub fn nodes(&self) -> &BTreeMap<ObjectName, Arc<Node>> {
        &self.contents.nodes
    }

    /// Waypoints by name.
    pub fn waypoints(&self) -> &BTreeMap<ObjectName, Arc<Waypoint>> {
        &self.contents.waypoints
    }

    /// HTTPRoutes by name.
    pub fn routes(&self) -> &BTreeMap<ObjectName, Arc<HttpRoute>> {
        &self.contents.routes
    }

    /// Routes of a kind by name.
    pub fn routes_of_kind(&self, kind: RouteKind) -> &BTreeMap<ObjectName, Arc<HttpRoute>> {
        match kind {
            RouteKind::Http => &self.contents.routes,
            RouteKind::Grpc => &self.contents.grpc_routes,
            RouteKind::Tls => &self.contents.tls_routes,
            RouteKind::Tcp => &self.contents.tcp_routes,
        }
    }

    /// Routes of every kind.
    pub fn all_routes(&self) -> impl Iterator<Item = &Arc<HttpRoute>> {
        RouteKind::ALL.into_iter().flat_map(|kind| self.routes_of_kind(kind).values())
    }

    /// Policies by name.
    pub fn policies(&self) -> &BTreeMap<ObjectName, Arc<AuthorizationPolicy>> {
        &self.contents.policies
    }

    /// TrafficPolicies by name.
    pub fn traffic_policies(&self) -> &BTreeMap<ObjectName, Arc<TrafficPolicy>> {
        &self.contents.traffic_policies
    }

    /// The TrafficPolicy that holds for the endpoints of a Service's port.
    pub fn policy_of_endpoints(&self, at: &Addressed<'_>) -> Option<&Arc<TrafficPolicy>> {
        self.policy_of_requests(at, None)
    }

    /// The TrafficPolicy that holds for requests to a Service's port that such a rule of a route
    /// took, if any did: its route, and its name.
    pub fn policy_of_requests(
        &self,
        at: &Addressed<'_>,
        rule: Option<(RouteKind, &ObjectName, Option<&str>)>,
    ) -> Option<&Arc<TrafficPolicy>> {
        if self.traffic_policy_of_target.is_empty() {
            return None;
        }
        at.targets(rule).find_map(|target| self.traffic_policy_of_target.get(&target))
    }

    /// The Service that has this virtual address, or that has it in a range and nobody else has it.
    pub fn service_of_vip(&self, vip: IpAddr) -> Option<&Arc<Service>> {
        let exact = self.service_of_vip.get(&vip);
        exact.or_else(|| self.ranges.find(vip).map(|(_, service)| service))
    }

    /// The range of a Service by which it has an address that is not one of its virtual ones.
    pub fn range_of(&self, address: IpAddr) -> Option<IpBlock> {
        if self.service_of_vip.contains_key(&address) {
            return None;
        }
        self.ranges.find(address).map(|(block, _)| block)
    }

    /// Every range of a Service; of equal ranges one Service has it.
    pub fn ranges(&self) -> impl Iterator<Item = (IpBlock, &Arc<Service>)> {
        self.ranges.iter()
    }

    /// Addresses in ranges that are somebody else's own.
    pub fn range_exceptions(&self) -> impl Iterator<Item = IpAddr> {
        self.ranges.exceptions().iter().copied()
    }

    /// The hosts of ServiceEntries of this name, of whatever namespace.
    pub fn services_of_host(&self, host: &str) -> &[Arc<Service>] {
        self.services_of_host.get(host).map_or(&[], Vec::as_slice)
    }

    /// The workload that has this address.
    pub fn workload_of_address(&self, address: IpAddr) -> Option<&Arc<Workload>> {
        self.workload_of_address.get(&address)
    }

    /// The Services of which a workload is an endpoint, ready or not.
    pub fn services_of(&self, workload: &ObjectName) -> &[Arc<Service>] {
        self.services_of_workload.get(workload).map_or(&[], Vec::as_slice)
    }

    /// The pods of a waypoint, ready or not.
    pub fn instances_of(&self, waypoint: &ObjectName) -> &[Arc<Workload>] {
        self.instances_of_waypoint.get(waypoint).map_or(&[], Vec::as_slice)
    }

    /// Routes of whole connections attached to a Service or to one of its ports.
    pub fn connection_routes_of(&self, service: &ObjectName) -> &[Arc<HttpRoute>] {
        self.connection_routes_of_service.get(service).map_or(&[], Vec::as_slice)
    }

    /// Routes of requests attached to a Service or to one of its ports.
    pub fn routes_of(&self, service: &ObjectName) -> &[Arc<HttpRoute>] {
        self.routes_of_service.get(service).map_or(&[], Vec::as_slice)
    }

    /// Policies attached to a target.
    pub fn policies_of(&self, target: &PolicyTarget) -> &[Arc<AuthorizationPolicy>] {
        self.policies_of_target.get(target).map_or(&[], Vec::as_slice)
    }

    /// Policies of a namespace that are attached to pods, wherever those are.
    pub fn pod_policies_of(&self, namespace: &str) -> &[Arc<AuthorizationPolicy>] {
        self.pod_policies_of_namespace.get(namespace).map_or(&[], Vec::as_slice)
    }
}

/// The indexes follow from the contents.
impl PartialEq for Snapshot {
    fn eq(&self, other: &Self) -> bool {
        self.contents == other.contents
    }
}

impl Eq for Snapshot {}

#[cfg(test)]
mod tests;
