//! The filter `CORS` of HTTPRoutes.

use gateway_api::experimental::httproutes::HttpRouteRulesFiltersCors as Declared;

use crate::mesh::route::{Cors, Names, OriginPattern};

use super::{invalid::Invalid, route_matches::header_name};

/// Reads the filter.
pub(super) fn cors(declared: &Declared) -> Result<Cors, Invalid> {
    let origins = declared.allow_origins.iter().flatten().map(|origin| {
        OriginPattern::parse(origin)
            .ok_or_else(|| Invalid::field("cors.allowOrigins", format!("{origin:?} is no origin")))
    });
    let max_age = declared.max_age.unwrap_or(MAX_AGE_SECONDS);
    let max_age = u32::try_from(max_age)
        .map_err(|_| Invalid::field("cors.maxAge", format!("{max_age} is no time")))?;
    Ok(Cors {
        origins: origins.collect::<Result<_, _>>()?,
        credentials: declared.allow_credentials.unwrap_or(false),
        methods: names("cors.allowMethods", declared.allow_methods.as_deref())?,
        headers: names("cors.allowHeaders", declared.allow_headers.as_deref())?,
        exposed: names("cors.exposeHeaders", declared.expose_headers.as_deref())?,
        max_age,
    })
}

/// Names as written, since methods tell capitals from small letters.
fn names(field: &str, declared: Option<&[String]>) -> Result<Names, Invalid> {
    let declared = declared.unwrap_or_default();
    if declared.iter().any(|name| name == "*") {
        return Ok(Names::All);
    }
    for name in declared {
        header_name(name).map_err(|cause| Invalid::field(field, cause))?;
    }
    Ok(Names::These(declared.to_vec()))
}

/// How long an answer to a preflight holds where that is not said (Gateway API).
const MAX_AGE_SECONDS: i32 = 5;
