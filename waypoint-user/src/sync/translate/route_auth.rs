//! The filter `ExternalAuth` of HTTPRoutes.
//!
//! Who is to be shown the body is not supported: the rule answers 500, since nothing may pass that
//! somebody should have been asked about.

use gateway_api::experimental::httproutes::{
    HttpRouteRulesFiltersExternalAuth as Declared, HttpRouteRulesFiltersExternalAuthHttp as Http,
    HttpRouteRulesFiltersExternalAuthProtocol as Protocol,
};

use http::uri::PathAndQuery;

use crate::mesh::route::AuthProtocol;

use super::{again::again, invalid::Invalid, route_filters::Filter, route_matches::header_name};

/// Reads the filter, if it is supported.
pub(super) fn auth(declared: &Declared) -> Result<Option<Filter>, Invalid> {
    let shows_body =
        declared.forward_body.as_ref().and_then(|body| body.max_size).is_some_and(|size| size > 0);
    if shows_body {
        return Ok(None);
    }
    let (told, by) = match declared.protocol {
        Protocol::Http => http(declared.http.as_ref())?,
        Protocol::Grpc => {
            let grpc = declared.grpc.as_ref();
            let told = names(grpc.and_then(|grpc| grpc.allowed_headers.as_deref()))?;
            (told, AuthProtocol::Grpc)
        }
    };
    let to = Box::new(again(&declared.backend_ref)?);
    Ok(Some(Filter::Auth { to, told, by }))
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
