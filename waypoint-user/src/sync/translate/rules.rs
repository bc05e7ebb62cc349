//! Rules of HTTPRoutes, as far as they can be understood by themselves.
//!
//! Whether a backend exists is `routes`'s.

use gateway_api::experimental::httproutes::{
    HttpRouteRules as Declared, HttpRouteRulesBackendRefs as BackendRef,
};

use crate::mesh::route::{Conduct, HttpFilter, HttpMatch, PathEdit, PathMatch};

use super::{
    conduct,
    invalid::Invalid,
    route_filters::{self, Filter, Filtered},
    route_matches::http_match,
};

/// A rule whose backends are not looked up yet.
pub(super) struct Rule<'a> {
    pub(super) name: Option<String>,
    pub(super) matches: Vec<HttpMatch>,
    pub(super) filters: Filtered,
    pub(super) backends: Vec<Backend<'a>>,
    pub(super) conduct: Conduct,
}

/// A backend that is not looked up yet.
pub(super) struct Backend<'a> {
    pub(super) reference: &'a BackendRef,
    pub(super) weight: u32,
    pub(super) filters: Filtered,
}

/// Reads a rule; errors name its place in the route.
pub(super) fn rule(index: usize, declared: &Declared) -> Result<Rule<'_>, Invalid> {
    read(declared).map_err(|cause| Invalid::field(&format!("spec.rules[{index}]"), cause))
}

fn read(declared: &Declared) -> Result<Rule<'_>, Invalid> {
    let matches: Vec<HttpMatch> =
        declared.matches.iter().flatten().map(http_match).collect::<Result<_, _>>()?;
    let filters = route_filters::of_rule(declared.filters.as_deref().unwrap_or_default())?;
    if replaces_prefix(&filters) && !is_one_prefix(&matches) {
        return Err(Invalid::new("replacePrefixMatch needs exactly one match, of type PathPrefix"));
    }
    let backends = declared.backend_refs.iter().flatten().map(backend);
    Ok(Rule {
        name: declared.name.clone(),
        matches,
        filters,
        backends: backends.collect::<Result<_, _>>()?,
        conduct: conduct::of_rule(declared)?,
    })
}

fn backend(reference: &BackendRef) -> Result<Backend<'_>, Invalid> {
    let weight = reference.weight.unwrap_or(1);
    let weight = u32::try_from(weight)
        .ok()
        .filter(|weight| *weight <= WEIGHT_MAX)
        .ok_or_else(|| Invalid::new(format!("weight {weight} is not in 0 to {WEIGHT_MAX}")))?;
    let filters = route_filters::of_backend(reference.filters.as_deref().unwrap_or_default())?;
    Ok(Backend { reference, weight, filters })
}

fn replaces_prefix(filters: &Filtered) -> bool {
    let Filtered::Filters(filters) = filters else { return false };
    filters.iter().any(|filter| {
        let path = match filter {
            Filter::Whole(HttpFilter::Redirect(redirect)) => redirect.path.as_ref(),
            Filter::Whole(HttpFilter::Rewrite(rewrite)) => rewrite.path.as_ref(),
            _ => None,
        };
        matches!(path, Some(PathEdit::Prefix(_)))
    })
}

/// Whether the rule matches by one prefix; no match at all is the prefix `/`.
fn is_one_prefix(matches: &[HttpMatch]) -> bool {
    match matches {
        [] => true,
        [one] => matches!(one.path, PathMatch::Prefix(_)),
        _ => false,
    }
}

/// Largest weight of a backend (Gateway API).
const WEIGHT_MAX: u32 = 1_000_000;
