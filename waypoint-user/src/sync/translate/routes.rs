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
        route::{BackendTarget, HttpBackend, HttpFilter, HttpRoute, HttpRule, ServiceParent},
        service::Service,
    },
    sync::finding::{accepted, error, notice, warning},
};

use super::{
    grants, meta,
    route_conditions::{self, Faults, INVALID_FILTER},
    route_filters::Filtered,
    route_parents::{self, Attachment, Refused},
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
        let attachments = route_parents::resolve(scene, &object, declared, services, report);
        let parents = parents(&attachments);
        // What is wrong with a route that is attached to nothing is said to its parents alone.
        let mut unread = Report::default();
        let report_of_rules = if parents.is_empty() { &mut unread } else { &mut *report };
        let mut told = Told { report: report_of_rules, faults: Faults::default() };
        tell(&object, declared, told.report);
        let rules = Scope { scene, services, object: &object }.rules(declared, &mut told);
        let faults = told.faults;
        route_conditions::set(&object, &attachments, &faults, report);
        if parents.is_empty() {
            if declared.spec.parent_refs.iter().flatten().next().is_none() {
                report.add(object, error("NoMatchingParent", "it has no parentRefs"));
            }
            continue;
        }
        let created = declared.metadata.creation_timestamp.as_ref();
        let created = created.map(|time| time.0.as_second());
        let route = HttpRoute {
            name: name.clone(),
            version: meta::version(&declared.metadata),
            created,
            parents,
            rules,
        };
        routes.insert(name.clone(), route);
    }
    routes
}

/// What the route is attached to, each once.
fn parents(attachments: &[Attachment]) -> Vec<ServiceParent> {
    let mut parents: Vec<ServiceParent> = Vec::new();
    for parent in attachments.iter().filter_map(|one| one.parent.as_ref().ok()) {
        if !parents.contains(parent) {
            parents.push(parent.clone());
        }
    }
    parents
}

/// Tells of a route that is attached.
fn tell(object: &ObjectRef, declared: &Declared, report: &mut Report) {
    report.add(object.clone(), accepted("Accepted", "Route was valid"));
    if declared.spec.hostnames.as_ref().is_some_and(|names| !names.is_empty()) {
        let message = "hostnames mean nothing on a route of a Service; they are ignored";
        report.add(object.clone(), notice("HostnamesIgnored", message));
    }
}

/// Where it is told what is wrong with rules: to people, and to the route's parents.
struct Told<'r> {
    report: &'r mut Report,
    faults: Faults,
}

impl Told<'_> {
    /// Tells of what answers 500.
    fn fault(&mut self, object: &ObjectRef, fault: &Refused, told: String) {
        let (reason, message) = fault;
        self.faults.add(reason, message);
        self.report.add(object.clone(), error(reason, told));
    }
}

/// What the rules of one route are looked at with.
struct Scope<'a> {
    scene: &'a Scene<'a>,
    services: &'a Services,
    object: &'a ObjectRef,
}

impl Scope<'_> {
    fn rules(&self, declared: &Declared, told: &mut Told<'_>) -> Vec<HttpRule> {
        let Some(declared) = &declared.spec.rules else {
            // The API's default: one rule that matches everything and leads nowhere.
            return vec![HttpRule::default()];
        };
        let mut rules = Vec::new();
        for (index, declared) in declared.iter().enumerate() {
            match rules::rule(index, declared) {
                Ok(rule) => rules.push(self.rule(index, rule, told)),
                Err(cause) => {
                    told.report.add(self.object.clone(), error("Invalid", cause.to_string()));
                }
            }
        }
        rules
    }

    fn rule(&self, index: usize, rule: Rule<'_>, told: &mut Told<'_>) -> HttpRule {
        for field in rule.ignored {
            let message =
                format!("spec.rules[{index}].{field} is not supported yet; it is ignored");
            told.report.add(self.object.clone(), warning("UnsupportedValue", message));
        }
        let (filters, backends) = match rule.filters {
            Filtered::Filters(filters) => {
                let backends = rule.backends.into_iter().enumerate().map(|(at, backend)| {
                    self.backend(&format!("spec.rules[{index}].backendRefs[{at}]"), backend, told)
                });
                (filters, backends.collect())
            }
            Filtered::Unsupported(filter) => {
                let message = format!("unsupported filter type \"{filter}\"");
                let text = format!("spec.rules[{index}]: {message}; the rule answers 500");
                told.fault(self.object, &(INVALID_FILTER, message.clone()), text);
                (Vec::new(), vec![nowhere(message)])
            }
        };
        HttpRule { name: rule.name, matches: rule.matches, filters, backends }
    }

    fn backend(&self, place: &str, declared: Backend<'_>, told: &mut Told<'_>) -> HttpBackend {
        let weight = declared.weight;
        let (target, filters) =
            self.target(declared.reference, declared.filters).unwrap_or_else(|fault| {
                let text = format!("{place}: {}; its share answers 500", fault.1);
                told.fault(self.object, &fault, text);
                (BackendTarget::Invalid(fault.1), Vec::new())
            });
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
                return Err((INVALID_FILTER, format!("unsupported filter type \"{filter}\"")));
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
