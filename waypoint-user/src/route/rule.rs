//! A rule that was chosen: its filters and its backends.
//!
//! Of several redirects or rewrites the first counts. A backend's filters can edit headers, mirror
//! requests and allow origins.

use std::borrow::Cow;

use crate::mesh::{
    object::ObjectName,
    request::RequestHead,
    route::{
        BackendTarget, Conduct, Cors, ExternalAuth, HttpBackend, HttpFilter, HttpRoute, HttpRule,
        Mirror, Redirect, Rewrite,
    },
};

use super::{Choice, Edits, RuleId, cors, path_edit, redirect, split::Split};

/// What a rule does.
#[derive(Debug)]
pub(super) struct Rule {
    id: RuleId,
    filters: Vec<HttpFilter>,
    backends: Vec<HttpBackend>,
    split: Split,
    conduct: Conduct,
}

/// What a rule is asked about.
pub(super) struct Asked<'a> {
    /// The request.
    pub(super) head: &'a dyn RequestHead,
    /// How many bytes of its path a prefix matched, if that is how it matched.
    pub(super) prefix_len: Option<usize>,
    /// The port of the Service.
    pub(super) port: u16,
}

impl Rule {
    /// Compiles the rule at a position of a route.
    pub(super) fn new(route: &HttpRoute, index: usize, rule: &HttpRule) -> Self {
        let weights: Vec<u32> = rule.backends.iter().map(|backend| backend.weight).collect();
        let ObjectName { namespace, name } = &route.name;
        let label = rule.name.clone().unwrap_or_else(|| format!("{namespace}.{name}.{index}"));
        Self {
            id: RuleId {
                kind: route.kind,
                route: route.name.clone(),
                index,
                name: rule.name.clone(),
                label: label.into(),
            },
            filters: rule.filters.clone(),
            backends: rule.backends.clone(),
            split: Split::new(&weights),
            conduct: rule.conduct.clone(),
        }
    }

    /// Who is asked whether requests may pass.
    pub(super) fn auth(&self) -> Option<&ExternalAuth> {
        self.filters.iter().find_map(|filter| match filter {
            HttpFilter::Auth(auth) => Some(auth),
            _ => None,
        })
    }

    /// How requests are brought to backends.
    pub(super) fn conduct(&self) -> &Conduct {
        &self.conduct
    }

    /// Where a request that matched goes.
    pub(super) fn choose(
        &self,
        asked: &Asked<'_>,
        prefers: &dyn Fn(&ObjectName, u16) -> bool,
        dice: &mut dyn FnMut(u32) -> u32,
    ) -> Choice<'_> {
        if let Some(answer) = self.preflight(&self.filters, asked) {
            return answer;
        }
        if let Some(redirect) = self.filters.iter().find_map(as_redirect) {
            let location = redirect::location(redirect, asked.head, asked.port, asked.prefix_len);
            let edits = self.header_edits(&[], asked.head);
            return Choice::Redirect { rule: &self.id, status: redirect.status, location, edits };
        }
        let Some(backend) = self.backend(prefers, dice) else {
            return self.unroutable("no backend has a weight");
        };
        if let Some(answer) = self.preflight(&backend.filters, asked) {
            return answer;
        }
        match &backend.target {
            BackendTarget::Invalid(reason) => self.unroutable(reason),
            BackendTarget::Service(service, port) => Choice::Forward {
                rule: &self.id,
                service,
                port: *port,
                edits: self.edits(asked, backend),
                mirrors: self.mirrors(backend, dice),
            },
        }
    }

    /// The backend that is preferred, or one by weight.
    fn backend(
        &self,
        prefers: &dyn Fn(&ObjectName, u16) -> bool,
        dice: &mut dyn FnMut(u32) -> u32,
    ) -> Option<&HttpBackend> {
        let preferred = self.backends.iter().find(|backend| match &backend.target {
            BackendTarget::Service(service, port) => prefers(service, *port),
            BackendTarget::Invalid(_) => false,
        });
        preferred.or_else(|| self.split.pick(dice).and_then(|index| self.backends.get(index)))
    }

    /// The answer to a preflight, if the request is one that filters answer.
    fn preflight(&self, filters: &[HttpFilter], asked: &Asked<'_>) -> Option<Choice<'_>> {
        let allowed = filters.iter().find_map(as_cors)?;
        let edit = cors::preflight(allowed, asked.head)?;
        let edits = Edits { response: vec![Cow::Owned(edit)], ..Edits::default() };
        Some(Choice::Preflight { rule: &self.id, edits })
    }

    fn unroutable(&self, reason: &str) -> Choice<'_> {
        Choice::Unroutable { rule: &self.id, reason: reason.to_owned() }
    }

    /// The mirrors whose share the request is in, each drawn for itself.
    fn mirrors<'t>(
        &'t self,
        backend: &'t HttpBackend,
        dice: &mut dyn FnMut(u32) -> u32,
    ) -> Vec<&'t Mirror> {
        let all = self.filters.iter().chain(&backend.filters).filter_map(as_mirror);
        all.filter(|mirror| mirror.share >= mirror.of || dice(mirror.of) < mirror.share).collect()
    }

    fn edits<'t>(&'t self, asked: &Asked<'_>, backend: &'t HttpBackend) -> Edits<'t> {
        let Asked { head, prefix_len, .. } = *asked;
        let edits = self.header_edits(&backend.filters, head);
        let rewrite = self.filters.iter().find_map(|filter| match filter {
            HttpFilter::Rewrite(rewrite) => Some(rewrite),
            _ => None,
        });
        let Some(Rewrite { hostname, path }) = rewrite else { return edits };
        let path = path.as_ref().and_then(|edit| path_edit::apply(edit, head.path(), prefix_len));
        Edits {
            authority: hostname.as_deref(),
            path_and_query: path.map(|path| path_edit::with_query(path, head.query())),
            ..edits
        }
    }

    fn header_edits<'t>(
        &'t self,
        of_backend: &'t [HttpFilter],
        head: &dyn RequestHead,
    ) -> Edits<'t> {
        let mut edits = Edits::default();
        for filter in self.filters.iter().chain(of_backend) {
            match filter {
                HttpFilter::RequestHeaders(edit) => edits.request.push(edit),
                HttpFilter::ResponseHeaders(edit) => edits.response.push(Cow::Borrowed(edit)),
                HttpFilter::Cors(allowed) => {
                    edits.response.extend(cors::response(allowed, head).map(Cow::Owned));
                }
                _ => {}
            }
        }
        edits
    }
}

fn as_redirect(filter: &HttpFilter) -> Option<&Redirect> {
    if let HttpFilter::Redirect(redirect) = filter { Some(redirect) } else { None }
}

fn as_cors(filter: &HttpFilter) -> Option<&Cors> {
    if let HttpFilter::Cors(cors) = filter { Some(cors) } else { None }
}

fn as_mirror(filter: &HttpFilter) -> Option<&Mirror> {
    if let HttpFilter::Mirror(mirror) = filter { Some(mirror) } else { None }
}
