//! The filter `ExternalAuth` of HTTPRoutes.
//!
//! It asks nobody; that is the proxy's.

use gateway_api::experimental::httproutes::{
    HttpRouteRulesFiltersExternalAuth as Declared, HttpRouteRulesFiltersExternalAuthHttp as Http,
    HttpRouteRulesFiltersExternalAuthProtocol as Protocol,
};

use http::uri::PathAndQuery;

use crate::mesh::route::AuthProtocol;

use super::{again::again, invalid::Invalid, route_filters::Filter, route_matches::header_name};

/// Reads the filter.
pub(super) fn auth(declared: &Declared) -> Result<Filter, Invalid> {
    let shows = declared.forward_body.as_ref().and_then(|body| body.max_size).unwrap_or_default();
    let shows = usize::try_from(shows)
        .map_err(|_| Invalid::field("externalAuth.forwardBody.maxSize", "it is negative"))?;
    let (told, by) = match declared.protocol {
        Protocol::Http => http(declared.http.as_ref())?,
        Protocol::Grpc => {
            let grpc = declared.grpc.as_ref();
            let told = names(grpc.and_then(|grpc| grpc.allowed_headers.as_deref()))?;
            (told, AuthProtocol::Grpc)
        }
    };
    let to = Box::new(again(&declared.backend_ref)?);
    Ok(Filter::Auth { to, told, shows, by })
}

fn http(declared: Option<&Http>) -> Result<(Vec<String>, AuthProtocol), Invalid> {
    let path = declared.and_then(|http| http.path.clone()).unwrap_or_default();
    if !path.is_empty() && !is_path(&path) {
        return Err(Invalid::field("externalAuth.http.path", format!("{path:?} is no path")));
    }
    let told = names(declared.and_then(|http| http.allowed_headers.as_deref()))?;
    let gets = names(declared.and_then(|http| http.allowed_response_headers.as_deref()))?;
    Ok((told, AuthProtocol::Http { path, gets }))
}

/// Whether requests can be asked about below it.
fn is_path(text: &str) -> bool {
    let parsed = text.parse::<PathAndQuery>();
    let is_same = parsed.is_ok_and(|parsed| parsed.path() == text);
    is_same && text.starts_with('/') && text.is_ascii()
}

fn names(declared: Option<&[String]>) -> Result<Vec<String>, Invalid> {
    declared.unwrap_or_default().iter().map(|name| header_name(name)).collect()
}

#[cfg(test)]
mod tests;
