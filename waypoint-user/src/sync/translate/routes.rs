//! HTTPRoutes and GRPCRoutes.
//!
//! Order and matching are `route`'s; what a backend leads to is `route_backends`'s.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use gateway_api::experimental::httproutes::{
    HttpRoute as Declared, HttpRouteRulesBackendRefs as BackendRef,
};

use crate::{
    mesh::{
        object::{ObjectName, ObjectRef},
        report::Report,
        route::{BackendTarget, HttpBackend, HttpFilter, HttpRoute, HttpRule, RouteKind},
        service::Service,
    },
    sync::finding::{accepted, error, notice, warning},
};

use super::{
    grpc_rules,
    route_backends::{self, Refused},
    route_filters::Filtered,
    route_parents,
    rules::{self, Backend, Rule},
    scene::Scene,
};

/// Services by name.
pub(super) type Services = BTreeMap<ObjectName, Service>;

/// Routes by name.
pub(super) type Routes = BTreeMap<ObjectName, HttpRoute>;

/// The HTTPRoutes that are attached to a Service.
pub(super) fn translate(scene: &Scene<'_>, services: &Services, report: &mut Report) -> Routes {
    let declared = scene.objects.http_routes.iter();
    let declared = declared.map(|(name, route)| (name, Cow::Borrowed(Arc::as_ref(route))));
    of_kind(RouteKind::Http, (scene, services), declared, report)
}

/// The GRPCRoutes that are attached to a Service. Where both are, HTTPRoutes count no more.
pub(super) fn translate_grpc(
    scene: &Scene<'_>,
    services: &Services,
    http: &Routes,
    report: &mut Report,
) -> Routes {
    let mut declared = Vec::new();
    for (name, route) in &scene.objects.grpc_routes {
        let (route, wrong) = grpc_rules::route(route);
        for cause in wrong {
            let object = ObjectRef::new(RouteKind::Grpc.as_str(), name.clone());
            report.add(object, error("Invalid", cause.to_string()));
        }
        declared.push((name, Cow::Owned(route)));
    }
    let routes = of_kind(RouteKind::Grpc, (scene, services), declared.into_iter(), report);
    for (name, route) in http {
        if let Some((service, port)) = routes.values().find_map(|grpc| shared(route, grpc)) {
            let on = port.map_or_else(String::new, |port| format!(" port {port}"));
            let message = format!(
                "GRPCRoutes are attached to {service}{on}, and are more specific; there the route \
                 does not count"
            );
            let object = ObjectRef::new(route.kind.as_str(), name.clone());
            report.add(object, warning("Overruled", message));
        }
    }
    routes
}

/// The parent that two routes share.
fn shared<'r>(http: &'r HttpRoute, grpc: &HttpRoute) -> Option<(&'r ObjectName, Option<u16>)> {
    http.parents.iter().find_map(|one| {
        let other = grpc.parents.iter().find(|other| {
            let apart = one.port.zip(other.port).is_some_and(|(one, other)| one != other);
            one.service == other.service && !apart
        })?;
        Some((&one.service, one.port.or(other.port)))
    })
}

/// Routes of a kind.
fn of_kind<'r>(
    kind: RouteKind,
    (scene, services): (&Scene<'_>, &Services),
    declared: impl Iterator<Item = (&'r ObjectName, Cow<'r, Declared>)>,
    report: &mut Report,
) -> Routes {
    let mut routes = BTreeMap::new();
    for (name, declared) in declared {
        let object = ObjectRef::new(kind.as_str(), name.clone());
        let parents = route_parents::resolve(&object, &declared, services, report);
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
        let rules = scope.rules(&declared, report);
        let created = declared.metadata.creation_timestamp.as_ref();
        let created = created.map(|time| time.0.as_second());
        let route = HttpRoute { kind, name: name.clone(), created, parents, rules };
        routes.insert(name.clone(), route);
    }
    routes
}

/// The hosts of a ServiceEntry.
pub(super) fn hosts_of<'s>(
    services: &'s Services,
    entry: &ObjectName,
) -> impl Iterator<Item = &'s Service> {
    let of_entry = |service: &&Service| {
        service.external.as_ref().is_some_and(|external| external.entry == *entry)
    };
    services.values().filter(of_entry)
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
    ) -> Result<(BackendTarget, Vec<HttpFilter>), Refused> {
        let filters = match filters {
            Filtered::Filters(filters) => filters,
            Filtered::Unsupported(filter) => {
                return Err(("InvalidFilter", format!("unsupported filter type \"{filter}\"")));
            }
        };
        let (service, port) =
            route_backends::resolve(self.scene, self.services, self.object, reference)?;
        Ok((BackendTarget::Service(service, port), filters))
    }
}

/// A backend that answers 500.
fn nowhere(reason: String) -> HttpBackend {
    HttpBackend { weight: 1, target: BackendTarget::Invalid(reason), filters: Vec::new() }
}
