//! A rule that was chosen: its filters and its backends.
//!
//! Of several redirects or rewrites the first counts; a backend's filters can only edit headers.

use crate::mesh::{
    request::RequestHead,
    route::{BackendTarget, HttpBackend, HttpFilter, HttpRoute, HttpRule, Rewrite},
};

use super::{Choice, Edits, RuleId, path_edit, redirect, split::Split};

/// What a rule does.
#[derive(Debug)]
pub(super) struct Rule {
    id: RuleId,
    filters: Vec<HttpFilter>,
    backends: Vec<HttpBackend>,
    split: Split,
}

impl Rule {
    /// Compiles the rule at a position of a route.
    pub(super) fn new(route: &HttpRoute, index: usize, rule: &HttpRule) -> Self {
        let weights: Vec<u32> = rule.backends.iter().map(|backend| backend.weight).collect();
        Self {
            id: RuleId { route: route.name.clone(), index, name: rule.name.clone() },
            filters: rule.filters.clone(),
            backends: rule.backends.clone(),
            split: Split::new(&weights),
        }
    }

    /// Where a request that matched goes, of which a prefix matched `prefix_len` bytes of the path,
    /// on a port of the Service.
    pub(super) fn choose(
        &self,
        head: &dyn RequestHead,
        prefix_len: Option<usize>,
        port: u16,
        dice: &mut dyn FnMut(u32) -> u32,
    ) -> Choice<'_> {
        let redirect = self.filters.iter().find_map(|filter| match filter {
            HttpFilter::Redirect(redirect) => Some(redirect),
            _ => None,
        });
        if let Some(redirect) = redirect {
            return Choice::Redirect {
                rule: &self.id,
                status: redirect.status,
                location: redirect::location(redirect, head, port, prefix_len),
                edits: self.header_edits(&[]),
            };
        }
        let picked = self.split.pick(dice).and_then(|index| self.backends.get(index));
        let Some(backend) = picked else {
            return self.unroutable("no backend has a weight");
        };
        match &backend.target {
            BackendTarget::Invalid(reason) => self.unroutable(reason),
            BackendTarget::Service(service, port) => Choice::Forward {
                rule: &self.id,
                service,
                port: *port,
                edits: self.edits(head, prefix_len, backend),
            },
        }
    }

    fn unroutable(&self, reason: &str) -> Choice<'_> {
        Choice::Unroutable { rule: &self.id, reason: reason.to_owned() }
    }

    fn edits<'t>(
        &'t self,
        head: &dyn RequestHead,
        prefix_len: Option<usize>,
        backend: &'t HttpBackend,
    ) -> Edits<'t> {
        let edits = self.header_edits(&backend.filters);
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

    fn header_edits<'t>(&'t self, of_backend: &'t [HttpFilter]) -> Edits<'t> {
        let mut edits = Edits::default();
        for filter in self.filters.iter().chain(of_backend) {
            match filter {
                HttpFilter::RequestHeaders(edit) => edits.request.push(edit),
                HttpFilter::ResponseHeaders(edit) => edits.response.push(edit),
                HttpFilter::Redirect(_) | HttpFilter::Rewrite(_) => {}
            }
        }
        edits
    }
}
