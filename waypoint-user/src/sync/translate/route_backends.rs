//! What a backend of a route leads to.
//!
//! It balances nothing.

use gateway_api::experimental::httproutes::HttpRouteRulesBackendRefs as BackendRef;

use crate::mesh::{
    external::service_name,
    object::{ObjectName, ObjectRef},
    service::Service,
};

use super::{
    grants,
    route_parents::ISTIO_NETWORKING,
    routes::{Services, hosts_of},
    scene::Scene,
};

/// Why a backend leads nowhere: reason and message.
pub(super) type Refused = (&'static str, String);

/// The Service and its port.
pub(super) fn resolve(
    scene: &Scene<'_>,
    services: &Services,
    route: &ObjectRef,
    reference: &BackendRef,
) -> Result<(ObjectName, u16), Refused> {
    let group = reference.group.as_deref().unwrap_or_default();
    let kind = reference.kind.as_deref().unwrap_or("Service");
    let place = Place { scene, services, route };
    let port = |name: Result<ObjectName, Refused>| match reference.port {
        Some(port) => name.map(|name| (name, port)),
        None => Err(("InvalidDestination", "backendRef without port".to_owned())),
    };
    let (name, port) = match (group, kind) {
        ("" | "core", "Service") => port(place.service(reference))?,
        (ISTIO_NETWORKING, "Hostname") => port(place.host(reference))?,
        (ISTIO_NETWORKING, "ServiceEntry") => port(place.entry(reference))?,
        _ => return Err(("InvalidKind", format!("unsupported backendRef kind {group}/{kind}"))),
    };
    let service = services.get(&name);
    let port = u16::try_from(port).ok().and_then(|port| service?.port(port));
    match port {
        Some(port) => Ok((name, port.number)),
        None => Err(("BackendNotFound", format!("backend {name} has no such port"))),
    }
}

/// What a backend is looked for in.
struct Place<'a> {
    scene: &'a Scene<'a>,
    services: &'a Services,
    route: &'a ObjectRef,
}

impl Place<'_> {
    /// A Kubernetes Service.
    fn service(&self, reference: &BackendRef) -> Result<ObjectName, Refused> {
        let name = self.permitted("Service", reference)?;
        if self.services.get(&name).is_some_and(|service| service.external.is_none()) {
            return Ok(name);
        }
        let domain = &self.scene.settings.cluster_domain;
        let host = format!("{}.{}.svc.{domain}", name.name, name.namespace);
        Err(("BackendNotFound", format!("backend({host}) not found")))
    }

    /// A host by itself, of whatever namespace lets others use it.
    fn host(&self, reference: &BackendRef) -> Result<ObjectName, Refused> {
        if reference.namespace.is_some() {
            let message = "namespace may not be set with Hostname type".to_owned();
            return Err(("InvalidDestination", message));
        }
        let (home, host) = (&self.route.name.namespace, reference.name.as_str());
        let own = service_name(home, host);
        if self.services.contains_key(&own) {
            return Ok(own);
        }
        let domain = &self.scene.settings.cluster_domain;
        let is_meant = |service: &&Service| {
            let open = service.external.as_ref().is_none_or(|external| !external.private);
            open && service.host(domain).eq_ignore_ascii_case(host)
        };
        let found = self.services.values().find(is_meant).map(|service| service.name.clone());
        found.ok_or_else(|| ("BackendNotFound", format!("backend({host}) not found")))
    }

    /// A ServiceEntry that has one host.
    fn entry(&self, reference: &BackendRef) -> Result<ObjectName, Refused> {
        let name = self.permitted("ServiceEntry", reference)?;
        let mut hosts = hosts_of(self.services, &name);
        match (hosts.next(), hosts.next()) {
            (Some(only), None) => Ok(only.name.clone()),
            (None, _) => Err(("BackendNotFound", format!("backend({name}) not found"))),
            (Some(_), Some(_)) => {
                let message = format!("ServiceEntry {name} has several hosts; name one (Hostname)");
                Err(("InvalidDestination", message))
            }
        }
    }

    /// The name that is meant, if a route of this namespace may name it.
    fn permitted(&self, of: &str, reference: &BackendRef) -> Result<ObjectName, Refused> {
        let (kind, home) = (&self.route.kind, &self.route.name.namespace);
        let name = ObjectName::new(reference.namespace.as_deref().unwrap_or(home), &reference.name);
        if grants::permit(self.scene.objects, self.route, &ObjectRef::new(of, name.clone())) {
            return Ok(name);
        }
        let message = format!(
            "backendRef {name} not accessible to a {kind} in namespace \"{home}\" \
             (missing a ReferenceGrant?)"
        );
        Err(("RefNotPermitted", message))
    }
}
