//! GRPCRoutes as the HTTPRoutes that they amount to (Gateway API `apis/v1/grpcroute_types.go`):
//! `/service/method` is the path of a call.
//!
//! Everything but what names the method is written alike in both kinds, so it is read again as the
//! other.

use gateway_api::experimental::{
    grpcroutes::{
        GrpcRoute, GrpcRouteRules, GrpcRouteRulesMatches as Match,
        GrpcRouteRulesMatchesMethod as Method, GrpcRouteRulesMatchesMethodType as MethodType,
    },
    httproutes::{
        HttpRoute, HttpRouteRules, HttpRouteRulesMatches, HttpRouteRulesMatchesPath as Path,
        HttpRouteRulesMatchesPathType as PathType, HttpRouteSpec,
    },
};

use super::{again::again, invalid::Invalid};

/// The route, without the rules that are not understood, and what is wrong with those.
pub(super) fn route(declared: &GrpcRoute) -> (HttpRoute, Vec<Invalid>) {
    let spec = &declared.spec;
    let mut wrong = Vec::new();
    let rules = spec.rules.as_ref().map(|rules| {
        let read = rules.iter().enumerate().map(|(index, declared)| rule(index, declared));
        read.filter_map(|rule| rule.map_err(|cause| wrong.push(cause)).ok()).collect()
    });
    let parents = spec.parent_refs.iter().flatten().map(again);
    let parent_refs = parents.collect::<Result<_, _>>().map_err(|cause| wrong.push(cause)).ok();
    let route = HttpRoute {
        metadata: declared.metadata.clone(),
        spec: HttpRouteSpec {
            hostnames: spec.hostnames.clone(),
            parent_refs,
            rules,
            ..HttpRouteSpec::default()
        },
        status: None,
    };
    (route, wrong)
}

/// A rule; errors name its place in the route.
pub(super) fn rule(index: usize, declared: &GrpcRouteRules) -> Result<HttpRouteRules, Invalid> {
    let field = format!("spec.rules[{index}]");
    let failed = |cause| Invalid::field(&field, cause);
    let matches = declared.matches.as_ref().map(|matches| {
        let read = matches.iter().enumerate().map(|(at, one)| {
            call(one).map_err(|cause| Invalid::field(&format!("{field}.matches[{at}]"), cause))
        });
        read.collect::<Result<Vec<_>, _>>()
    });
    let matches = matches.transpose()?;
    let alike = GrpcRouteRules { matches: None, ..declared.clone() };
    let alike: HttpRouteRules = again(&alike).map_err(failed)?;
    Ok(HttpRouteRules { matches, ..alike })
}

/// One alternative of a rule.
fn call(declared: &Match) -> Result<HttpRouteRulesMatches, Invalid> {
    let alike = Match { method: None, ..declared.clone() };
    let alike: HttpRouteRulesMatches = again(&alike)?;
    let path = declared.method.as_ref().map(path).transpose()?;
    Ok(HttpRouteRulesMatches { path, ..alike })
}

/// The paths of a service's methods, of one method, or of every method of a name.
fn path(method: &Method) -> Result<Path, Invalid> {
    let named = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let (service, call) = (named(&method.service), named(&method.method));
    let by_expression = method.r#type == Some(MethodType::RegularExpression);
    for part in [&service, &call].into_iter().flatten() {
        if !by_expression && !part.bytes().all(is_part_of_name) {
            return Err(Invalid::field("method", format!("{part:?} is not a name of gRPC")));
        }
    }
    let (kind, value) = match (service, call) {
        (None, None) => {
            let message = "neither service nor method is named; leave it out or name one";
            return Err(Invalid::field("method", message));
        }
        (service, call) if by_expression => {
            let part = |text: Option<String>| text.map_or(ANY.to_owned(), |it| format!("(?:{it})"));
            (PathType::RegularExpression, format!("/{}/{}", part(service), part(call)))
        }
        (Some(service), Some(call)) => (PathType::Exact, format!("/{service}/{call}")),
        (Some(service), None) => (PathType::PathPrefix, format!("/{service}")),
        (None, Some(call)) => (PathType::RegularExpression, format!("/{ANY}/{call}")),
    };
    Ok(Path { r#type: Some(kind), value: Some(value) })
}

/// Whether names of services and methods have such a byte.
const fn is_part_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.')
}

/// Any service, or any method.
const ANY: &str = "[^/]+";

#[cfg(test)]
mod tests;
