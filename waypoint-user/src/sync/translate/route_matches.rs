//! Matches of HTTPRoute rules, and the syntax of what they hold (Gateway API
//! `apis/v1/httproute_types.go`).
//!
//! It matches nothing; that is `route`'s.

use gateway_api::experimental::httproutes::{
    HttpRouteRulesMatches as Declared, HttpRouteRulesMatchesHeadersType as HeaderType,
    HttpRouteRulesMatchesMethod as Method, HttpRouteRulesMatchesPath as DeclaredPath,
    HttpRouteRulesMatchesPathType as PathType, HttpRouteRulesMatchesQueryParamsType as QueryType,
};

use crate::mesh::{
    pattern::Regex,
    route::{HttpMatch, PathMatch, ValueMatch, ValuePattern},
};

use super::invalid::Invalid;

/// One alternative of a rule.
pub(super) fn http_match(declared: &Declared) -> Result<HttpMatch, Invalid> {
    let headers = declared.headers.iter().flatten().map(|header| {
        let regex = header.r#type == Some(HeaderType::RegularExpression);
        let name = header_name(&header.name)?;
        Ok(ValueMatch { name, value: pattern(&header.value, regex)? })
    });
    let query = declared.query_params.iter().flatten().map(|parameter| {
        let regex = parameter.r#type == Some(QueryType::RegularExpression);
        let name = parameter.name.clone();
        Ok(ValueMatch { name, value: pattern(&parameter.value, regex)? })
    });
    Ok(HttpMatch {
        path: declared.path.as_ref().map(path).transpose()?.unwrap_or_default(),
        headers: headers.collect::<Result<_, Invalid>>()?,
        query: query.collect::<Result<_, Invalid>>()?,
        method: declared.method.as_ref().map(|method| word(method).to_owned()),
    })
}

/// A header name: a token (RFC 9110 section 5.1), in lower case.
pub(super) fn header_name(name: &str) -> Result<String, Invalid> {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(token) {
        return Err(Invalid::new(format!("{name:?} is not a header name")));
    }
    Ok(name.to_ascii_lowercase())
}

fn path(declared: &DeclaredPath) -> Result<PathMatch, Invalid> {
    let value = declared.value.as_deref().unwrap_or("/");
    match declared.r#type {
        Some(PathType::RegularExpression) => regex(value).map(PathMatch::Regex),
        Some(PathType::Exact) => plain(value).map(PathMatch::Exact),
        Some(PathType::PathPrefix) | None => plain(value).map(PathMatch::Prefix),
    }
}

/// A path without a pattern. What a client's path can never be once it is normal matches nothing,
/// and the API refuses it.
fn plain(path: &str) -> Result<String, Invalid> {
    if !path.starts_with('/') {
        return Err(Invalid::new(format!("path {path:?} does not start with /")));
    }
    let never = ["//", "/./", "/../", "%2f", "%2F", "#"].iter().any(|part| path.contains(part))
        || path.ends_with("/..")
        || path.ends_with("/.");
    if never {
        return Err(Invalid::new(format!("path {path:?} is not in normal form")));
    }
    Ok(path.to_owned())
}

fn pattern(value: &str, is_regex: bool) -> Result<ValuePattern, Invalid> {
    if is_regex {
        regex(value).map(ValuePattern::Regex)
    } else {
        Ok(ValuePattern::Exact(value.to_owned()))
    }
}

/// An expression; its error is several lines with a drawing, of which the last says what is wrong.
fn regex(source: &str) -> Result<Regex, Invalid> {
    Regex::new(source).map_err(|error| {
        let text = error.to_string();
        let cause = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
        Invalid::new(format!("invalid regular expression {source:?}: {cause}"))
    })
}

fn word(method: &Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
        Method::Connect => "CONNECT",
        Method::Options => "OPTIONS",
        Method::Trace => "TRACE",
        Method::Patch => "PATCH",
    }
}
