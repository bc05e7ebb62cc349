//! HTTPRoutes and GRPCRoutes, and what routes of every kind have in common.
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
        route::{
            BackendTarget, ExternalAuth, HttpBackend, HttpFilter, HttpRoute, HttpRule, Mirror,
            RouteKind, ServiceParent,
        },
        service::Service,
    },
    sync::finding::{accepted, error, notice, warning},
};

use super::{
    grpc_rules, meta, route_backends,
    route_conditions::{self, Faults, INVALID_FILTER},
    route_filters::{Filter, Filtered},
    route_gateways::Place,
    route_parents::{self, Attachment, Refused},
    route_rivals::{Left, Rivals},
    rules::{self, Backend, Rule},
    scene::Scene,
};

/// Services by name.
pub(super) type Services = BTreeMap<ObjectName, Service>;

/// Routes by name.
pub(super) type Routes = BTreeMap<ObjectName, HttpRoute>;

/// The GRPCRoutes that are attached to a Service.
pub(super) fn translate_grpc(
    (scene, services): (&Scene<'_>, &Services),
    rivals: &mut Rivals<'_>,
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
    of_kind(RouteKind::Grpc, (scene, services), declared, rivals, report)
}

/// The HTTPRoutes that are attached to a Service. Where GRPCRoutes are, they count no more.
pub(super) fn translate(
    (scene, services): (&Scene<'_>, &Services),
    (grpc, rivals): (&Routes, &mut Rivals<'_>),
    report: &mut Report,
) -> Routes {
    let declared = scene.objects.http_routes.iter();
    let declared = declared.map(|(name, route)| (name, Cow::Borrowed(Arc::as_ref(route))));
    let declared = declared.collect();
    let routes = of_kind(RouteKind::Http, (scene, services), declared, rivals, report);
    for (name, route) in &routes {
        if let Some((service, port)) = grpc.values().find_map(|grpc| shared(route, grpc)) {
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

/// Routes of a kind; each takes its ports before the next one is looked at.
pub(super) fn of_kind(
    kind: RouteKind,
    (scene, services): (&Scene<'_>, &Services),
    declared: Vec<(&ObjectName, Cow<'_, Declared>)>,
    rivals: &mut Rivals<'_>,
    report: &mut Report,
) -> Routes {
    let mut routes = BTreeMap::new();
    let place = Place::new(scene, services);
    for (name, declared) in declared {
        let object = ObjectRef::new(kind.as_str(), name.clone());
        let attachments = route_parents::resolve(&place, &object, &declared, report);
        let attachments = yielding(kind, &object, attachments, (rivals, report));
        let parents = parents(&attachments);
        let is_attached = attachments.iter().any(|one| one.parents.is_ok());
        // What is wrong with a route that is attached to nothing is said to its parents alone.
        let mut unread = Report::default();
        let report_of_rules = if is_attached { &mut *report } else { &mut unread };
        let mut told = Told { report: report_of_rules, faults: Faults::default() };
        tell(&object, &declared, told.report);
        let rules = Scope { scene, services, object: &object, kind }.rules(&declared, &mut told);
        let faults = told.faults;
        route_conditions::set(&object, &attachments, &faults, report);
        if !is_attached {
            if declared.spec.parent_refs.iter().flatten().next().is_none() {
                report.add(object, error("NoMatchingParent", "it has no parentRefs"));
            }
            continue;
        }
        let created = declared.metadata.creation_timestamp.as_ref();
        let created = created.map(|time| time.0.as_second());
        let route = HttpRoute {
            kind,
            name: name.clone(),
            version: meta::version(&declared.metadata),
            created,
            parents,
            hostnames: Vec::new(),
            rules,
        };
        rivals.take(&route);
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

/// Attachments without the ports that other routes have, or that are none for routes of the kind.
fn yielding(
    kind: RouteKind,
    object: &ObjectRef,
    attachments: Vec<Attachment>,
    (rivals, report): (&Rivals<'_>, &mut Report),
) -> Vec<Attachment> {
    let mut left = |asked: Vec<ServiceParent>| match rivals.left(kind, asked) {
        Ok(Left { parents, lost }) => {
            if let Some((service, port, (_, why))) = lost.filter(|_| kind.is_of_connections()) {
                let message = format!("at {service} port {port} the route does not count: {why}");
                report.add(object.clone(), warning("Overruled", message));
            }
            Ok(parents)
        }
        Err((reason, message)) => {
            report.add(object.clone(), error(reason, message.clone()));
            Err((reason, message))
        }
    };
    let yielded = attachments.into_iter();
    yielded.map(|one| Attachment { parents: one.parents.and_then(&mut left), ..one }).collect()
}

/// What the route is attached to, each once.
fn parents(attachments: &[Attachment]) -> Vec<ServiceParent> {
    let mut parents: Vec<ServiceParent> = Vec::new();
    for parent in attachments.iter().flat_map(|one| one.parents.iter().flatten()) {
        if !parents.contains(parent) {
            parents.push(parent.clone());
        }
    }
    parents
}

/// Tells of a route that is attached.
fn tell(object: &ObjectRef, declared: &Declared, report: &mut Report) {
    report.add(object.clone(), accepted("Accepted", "Route was valid"));
    let has_hostnames = declared.spec.hostnames.as_ref().is_some_and(|names| !names.is_empty());
    if has_hostnames && route_parents::names_services(declared) {
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
    kind: RouteKind,
}

impl Scope<'_> {
    /// What becomes of what leads nowhere.
    fn end(&self) -> &'static str {
        if self.kind.is_of_connections() { "is reset" } else { "answers 500" }
    }

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
        let place = format!("spec.rules[{index}]");
        let (filters, backends) = match rule.filters {
            Filtered::Filters(filters) => {
                let asks = filters.iter().any(|one| matches!(one, Filter::Auth { .. }));
                let filters = self.filters(&place, filters, told);
                if asks && !filters.iter().any(|one| matches!(one, HttpFilter::Auth(_))) {
                    // Nothing may pass that somebody should have been asked about.
                    return HttpRule {
                        name: rule.name,
                        matches: rule.matches,
                        backends: vec![nowhere("nobody can be asked".to_owned())],
                        ..HttpRule::default()
                    };
                }
                let backends = rule.backends.into_iter().enumerate().map(|(at, backend)| {
                    self.backend(&format!("{place}.backendRefs[{at}]"), backend, told)
                });
                (filters, backends.collect())
            }
            Filtered::Unsupported(filter) => {
                let message = format!("unsupported filter type \"{filter}\"");
                let text = format!("{place}: {message}; the rule answers 500");
                told.fault(self.object, &(INVALID_FILTER, message.clone()), text);
                (Vec::new(), vec![nowhere(message)])
            }
        };
        let Rule { name, matches, conduct, .. } = rule;
        HttpRule { name, matches, filters, backends, conduct }
    }

    /// Filters with what they lead to. A mirror that leads nowhere is left out, and the rest holds.
    fn filters(&self, place: &str, read: Vec<Filter>, told: &mut Told<'_>) -> Vec<HttpFilter> {
        let mut filters = Vec::with_capacity(read.len());
        for filter in read {
            match filter {
                Filter::Whole(filter) => filters.push(filter),
                Filter::Mirror { to, share: (share, of) } => match self.service(&to) {
                    Ok((service, port)) => {
                        filters.push(HttpFilter::Mirror(Mirror { service, port, share, of }));
                    }
                    Err(fault) => {
                        let text = format!("{place}: {}; nothing is mirrored", fault.1);
                        told.fault(self.object, &fault, text);
                    }
                },
                Filter::Auth { to, told: fields, shows, by } => match self.service(&to) {
                    Ok((service, port)) => {
                        let auth = ExternalAuth { service, port, told: fields, shows, by };
                        filters.push(HttpFilter::Auth(auth));
                    }
                    Err(fault) => {
                        let text = format!("{place}: {}; the rule answers 500", fault.1);
                        told.fault(self.object, &fault, text);
                    }
                },
            }
        }
        filters
    }

    fn backend(&self, place: &str, declared: Backend<'_>, told: &mut Told<'_>) -> HttpBackend {
        let weight = declared.weight;
        let read = match declared.filters {
            Filtered::Filters(filters) => self.service(declared.reference).map(|to| (to, filters)),
            Filtered::Unsupported(filter) => {
                Err((INVALID_FILTER, format!("unsupported filter type \"{filter}\"")))
            }
        };
        match read {
            Ok(((service, port), filters)) => {
                let filters = self.filters(place, filters, told);
                HttpBackend { weight, target: BackendTarget::Service(service, port), filters }
            }
            Err(fault) => {
                let text = format!("{place}: {}; its share {}", fault.1, self.end());
                told.fault(self.object, &fault, text);
                HttpBackend { weight, target: BackendTarget::Invalid(fault.1), filters: Vec::new() }
            }
        }
    }

    /// The Service that a reference leads to, and its port.
    fn service(&self, reference: &BackendRef) -> Result<(ObjectName, u16), Refused> {
        route_backends::resolve(self.scene, self.services, self.object, reference)
    }
}

/// A backend that answers 500.
fn nowhere(reason: String) -> HttpBackend {
    HttpBackend { weight: 1, target: BackendTarget::Invalid(reason), filters: Vec::new() }
}
