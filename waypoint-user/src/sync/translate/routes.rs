//! HTTPRoutes.
//!
//! Order and matching are `route`'s.

use std::collections::BTreeMap;

use gateway_api::experimental::httproutes::{
    HttpRoute as Declared, HttpRouteRulesBackendRefs as BackendRef,
};

use crate::{
    mesh::{
        object::{ObjectName, ObjectRef},
        report::Report,
        route::{BackendTarget, HttpBackend, HttpFilter, HttpRoute, HttpRule},
        service::Service,
    },
    sync::finding::{accepted, error, notice, warning},
};

use super::{
    grants,
    route_filters::Filtered,
    route_parents,
    rules::{self, Backend, Rule},
    scene::Scene,
};

/// Services by name.
pub(super) type Services = BTreeMap<ObjectName, Service>;

/// The routes that are attached to a Service.
pub(super) fn translate(
    scene: &Scene<'_>,
    services: &Services,
    report: &mut Report,
) -> BTreeMap<ObjectName, HttpRoute> {
    let mut routes = BTreeMap::new();
    for (name, declared) in &scene.objects.http_routes {
        let object = ObjectRef::new("HTTPRoute", name.clone());
        let parents = route_parents::resolve(&object, declared, services, report);
        if parents.is_empty() {
            if declared.spec.parent_refs.iter().flatten().next().is_none() {
                report.add(object, error("NoMatchingParent", "it has no parentRefs"));
            }
            continue;
        }
        report.add(object.clone(), accepted("Accepted", "Route was valid"));
        if declared.spec.hostnames.as_ref().is_some_and(|names| !names.is_empty()) {
            let message = "hostnames mean nothing on a route of a Service; they are ignored";
            report.add(object.clone(), notice("HostnamesIgnored", message));
        }
        let scope = Scope { scene, services, object: &object };
        let rules = scope.rules(declared, report);
        let created = declared.metadata.creation_timestamp.as_ref();
        let created = created.map(|time| time.0.as_second());
        routes.insert(name.clone(), HttpRoute { name: name.clone(), created, parents, rules });
    }
    routes
}

/// What the rules of one route are looked at with.
struct Scope<'a> {
    scene: &'a Scene<'a>,
    services: &'a Services,
    object: &'a ObjectRef,
}

impl Scope<'_> {
    fn rules(&self, declared: &Declared, report: &mut Report) -> Vec<HttpRule> {
        let Some(declared) = &declared.spec.rules else {
            // The API's default: one rule that matches everything and leads nowhere.
            return vec![HttpRule::default()];
        };
        let mut rules = Vec::new();
        for (index, declared) in declared.iter().enumerate() {
            match rules::rule(index, declared) {
                Ok(rule) => rules.push(self.rule(index, rule, report)),
                Err(cause) => report.add(self.object.clone(), error("Invalid", cause.to_string())),
            }
        }
        rules
    }

    fn rule(&self, index: usize, rule: Rule<'_>, report: &mut Report) -> HttpRule {
        for field in rule.ignored {
            let message =
                format!("spec.rules[{index}].{field} is not supported yet; it is ignored");
            report.add(self.object.clone(), warning("UnsupportedValue", message));
        }
        let (filters, backends) = match rule.filters {
            Filtered::Filters(filters) => {
                let backends = rule.backends.into_iter().enumerate().map(|(at, backend)| {
                    self.backend(&format!("spec.rules[{index}].backendRefs[{at}]"), backend, report)
                });
                (filters, backends.collect())
            }
            Filtered::Unsupported(filter) => {
                let message = format!("unsupported filter type \"{filter}\"");
                let told = format!("spec.rules[{index}]: {message}; the rule answers 500");
                report.add(self.object.clone(), error("InvalidFilter", told));
                (Vec::new(), vec![nowhere(message)])
            }
        };
        HttpRule { name: rule.name, matches: rule.matches, filters, backends }
    }

    fn backend(&self, place: &str, declared: Backend<'_>, report: &mut Report) -> HttpBackend {
        let weight = declared.weight;
        let (target, filters) = self.target(declared.reference, declared.filters).unwrap_or_else(
            |(reason, message)| {
                let told = format!("{place}: {message}; its share answers 500");
                report.add(self.object.clone(), error(reason, told));
                (BackendTarget::Invalid(message), Vec::new())
            },
        );
        HttpBackend { weight, target, filters }
    }

    /// Where a backend's share goes and what is done to it, or why it goes nowhere.
    fn target(
        &self,
        reference: &BackendRef,
        filters: Filtered,
    ) -> Result<(BackendTarget, Vec<HttpFilter>), (&'static str, String)> {
        let filters = match filters {
            Filtered::Filters(filters) => filters,
            Filtered::Unsupported(filter) => {
                return Err(("InvalidFilter", format!("unsupported filter type \"{filter}\"")));
            }
        };
        let group = reference.group.as_deref().unwrap_or_default();
        let kind = reference.kind.as_deref().unwrap_or("Service");
        if !(kind == "Service" && matches!(group, "" | "core")) {
            return Err(("InvalidKind", format!("unsupported backendRef kind {group}/{kind}")));
        }
        let Some(port) = reference.port else {
            return Err(("InvalidDestination", "backendRef without port".to_owned()));
        };
        let home = &self.object.name.namespace;
        let name = ObjectName::new(reference.namespace.as_deref().unwrap_or(home), &reference.name);
        if !grants::permit(self.scene.objects, &self.object.name, &name) {
            let message = format!(
                "backendRef {name} not accessible to a HTTPRoute in namespace \"{home}\" \
                 (missing a ReferenceGrant?)"
            );
            return Err(("RefNotPermitted", message));
        }
        let Some(service) = self.services.get(&name) else {
            let domain = &self.scene.settings.cluster_domain;
            let host = format!("{}.{}.svc.{domain}", name.name, name.namespace);
            return Err(("BackendNotFound", format!("backend({host}) not found")));
        };
        let port = u16::try_from(port).ok().and_then(|port| service.port(port));
        match port {
            Some(port) => Ok((BackendTarget::Service(name, port.number), filters)),
            None => Err(("BackendNotFound", format!("backend {name} has no such port"))),
        }
    }
}

/// A backend that answers 500.
fn nowhere(reason: String) -> HttpBackend {
    HttpBackend { weight: 1, target: BackendTarget::Invalid(reason), filters: Vec::new() }
}
