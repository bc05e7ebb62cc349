//! Filters of HTTPRoute rules and backends.
//!
//! It applies nothing; that is `route`'s.

use gateway_api::experimental::httproutes::{
    HttpRouteRulesBackendRefs as BackendRef, HttpRouteRulesBackendRefsFilters as BackendFilter,
    HttpRouteRulesFilters as Declared,
    HttpRouteRulesFiltersRequestHeaderModifier as RequestHeaders,
    HttpRouteRulesFiltersRequestMirror as DeclaredMirror,
    HttpRouteRulesFiltersRequestRedirect as DeclaredRedirect,
    HttpRouteRulesFiltersRequestRedirectPath as RedirectPath,
    HttpRouteRulesFiltersRequestRedirectScheme as Scheme,
    HttpRouteRulesFiltersResponseHeaderModifier as ResponseHeaders,
    HttpRouteRulesFiltersType as Type, HttpRouteRulesFiltersUrlRewrite as DeclaredRewrite,
    HttpRouteRulesFiltersUrlRewritePath as RewritePath,
};

use crate::mesh::route::{AuthProtocol, HeaderEdit, HttpFilter, PathEdit, Redirect, Rewrite};

use super::{
    again::again, invalid::Invalid, meta, route_auth, route_cors, route_matches::header_name,
};

/// Filters, or the type of one that is not supported: its rule or backend then answers 500.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Filtered {
    /// All are supported.
    Filters(Vec<Filter>),
    /// This one is not.
    Unsupported(String),
}

/// A filter that is understood by itself.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Filter {
    /// One that needs nothing else.
    Whole(HttpFilter),
    /// A mirror whose backend is not looked up yet.
    Mirror {
        /// The backend.
        to: Box<BackendRef>,
        /// How many requests are copied, and of how many.
        share: (u32, u32),
    },
    /// Somebody who is asked, and is not looked up yet.
    Auth {
        /// The backend.
        to: Box<BackendRef>,
        /// The fields that are told.
        told: Vec<String>,
        /// How long a body may be that is shown.
        shows: usize,
        /// How it is asked.
        by: AuthProtocol,
    },
}

/// The filters of a rule.
pub(super) fn of_rule(declared: &[Declared]) -> Result<Filtered, Invalid> {
    let mut filters = Vec::new();
    let mut seen: Vec<&Type> = Vec::new();
    for one in declared {
        let repeated = seen.contains(&&one.r#type);
        if repeated && !matches!(one.r#type, Type::RequestMirror | Type::ExtensionRef) {
            return Err(Invalid::new(format!("filter {} is repeated", name(&one.r#type))));
        }
        seen.push(&one.r#type);
        match filter(one)? {
            Some(filter) => filters.push(filter),
            None => return Ok(Filtered::Unsupported(name(&one.r#type).to_owned())),
        }
    }
    if seen.contains(&&Type::RequestRedirect) && seen.contains(&&Type::UrlRewrite) {
        return Err(Invalid::new("URLRewrite and RequestRedirect exclude each other"));
    }
    Ok(Filtered::Filters(filters))
}

/// The filters of a backend. The generated types of both places differ in name only, so these are
/// read again as the other.
pub(super) fn of_backend(declared: &[BackendFilter]) -> Result<Filtered, Invalid> {
    let same: Vec<Declared> = again(&declared)?;
    // Where a request goes, and whether it may, is decided before there is a backend.
    let early = same.iter().find(|one| {
        matches!(one.r#type, Type::RequestRedirect | Type::UrlRewrite | Type::ExternalAuth)
    });
    match early {
        Some(filter) => Ok(Filtered::Unsupported(name(&filter.r#type).to_owned())),
        None => of_rule(&same),
    }
}

/// A filter, if it is supported.
fn filter(declared: &Declared) -> Result<Option<Filter>, Invalid> {
    let absent = || Invalid::new(format!("filter {} has no settings", name(&declared.r#type)));
    Ok(Some(Filter::Whole(match declared.r#type {
        Type::RequestHeaderModifier => {
            let edit = declared.request_header_modifier.as_ref().ok_or_else(absent)?;
            HttpFilter::RequestHeaders(request_headers(edit)?)
        }
        Type::ResponseHeaderModifier => {
            let edit = declared.response_header_modifier.as_ref().ok_or_else(absent)?;
            HttpFilter::ResponseHeaders(response_headers(edit)?)
        }
        Type::RequestRedirect => {
            let to = declared.request_redirect.as_ref().ok_or_else(absent)?;
            HttpFilter::Redirect(redirect(to)?)
        }
        Type::UrlRewrite => {
            let to = declared.url_rewrite.as_ref().ok_or_else(absent)?;
            HttpFilter::Rewrite(rewrite(to)?)
        }
        Type::Cors => {
            let allowed = declared.cors.as_ref().ok_or_else(absent)?;
            HttpFilter::Cors(route_cors::cors(allowed)?)
        }
        Type::RequestMirror => {
            let mirror = declared.request_mirror.as_ref().ok_or_else(absent)?;
            return self::mirror(mirror).map(Some);
        }
        Type::ExternalAuth => {
            return route_auth::auth(declared.external_auth.as_ref().ok_or_else(absent)?).map(Some);
        }
        Type::ExtensionRef => return Ok(None),
    })))
}

fn mirror(declared: &DeclaredMirror) -> Result<Filter, Invalid> {
    let share = match (declared.percent, &declared.fraction) {
        (None, None) => (100, 100),
        (Some(percent), None) => (percent, 100),
        (None, Some(fraction)) => (fraction.numerator, fraction.denominator.unwrap_or(100)),
        (Some(_), Some(_)) => {
            return Err(Invalid::field("requestMirror", "percent and fraction exclude each other"));
        }
    };
    let positive = |number: i32| u32::try_from(number).ok();
    let share =
        positive(share.0).zip(positive(share.1)).filter(|(some, all)| *all > 0 && some <= all);
    let share =
        share.ok_or_else(|| Invalid::field("requestMirror", "the share is not in 0 to 1"))?;
    let to = Box::new(again(&declared.backend_ref)?);
    Ok(Filter::Mirror { to, share })
}

fn request_headers(edit: &RequestHeaders) -> Result<HeaderEdit, Invalid> {
    let set = edit.set.iter().flatten().map(|one| (&one.name, &one.value));
    let add = edit.add.iter().flatten().map(|one| (&one.name, &one.value));
    header_edit(set, add, edit.remove.as_deref())
}

fn response_headers(edit: &ResponseHeaders) -> Result<HeaderEdit, Invalid> {
    let set = edit.set.iter().flatten().map(|one| (&one.name, &one.value));
    let add = edit.add.iter().flatten().map(|one| (&one.name, &one.value));
    header_edit(set, add, edit.remove.as_deref())
}

fn header_edit<'a>(
    set: impl Iterator<Item = (&'a String, &'a String)>,
    add: impl Iterator<Item = (&'a String, &'a String)>,
    remove: Option<&[String]>,
) -> Result<HeaderEdit, Invalid> {
    let remove = remove.unwrap_or_default().iter().map(|name| header_name(name));
    Ok(HeaderEdit {
        set: set.map(header).collect::<Result<_, _>>()?,
        add: add.map(header).collect::<Result<_, _>>()?,
        remove: remove.collect::<Result<_, _>>()?,
    })
}

/// A header field: visible text, spaces and tabs (RFC 9110 section 5.5).
fn header((name, value): (&String, &String)) -> Result<(String, String), Invalid> {
    if value.chars().any(|char| char.is_control() && char != '\t') {
        return Err(Invalid::new(format!("the value of header {name:?} has control characters")));
    }
    Ok((header_name(name)?, value.clone()))
}

fn redirect(declared: &DeclaredRedirect) -> Result<Redirect, Invalid> {
    let status = match declared.status_code {
        None | Some(302) => 302,
        Some(301) => 301,
        Some(303) => 303,
        Some(307) => 307,
        Some(308) => 308,
        Some(other) => {
            let message = format!("statusCode {other} is none of 301, 302, 303, 307, 308");
            return Err(Invalid::field("requestRedirect", message));
        }
    };
    let scheme = declared.scheme.as_ref().map(|scheme| match scheme {
        Scheme::Http => "http".to_owned(),
        Scheme::Https => "https".to_owned(),
    });
    Ok(Redirect {
        scheme,
        hostname: declared.hostname.as_deref().map(hostname).transpose()?,
        path: declared.path.as_ref().map(redirect_path).transpose()?,
        port: declared.port.map(meta::port).transpose()?,
        status,
    })
}

fn rewrite(declared: &DeclaredRewrite) -> Result<Rewrite, Invalid> {
    Ok(Rewrite {
        hostname: declared.hostname.as_deref().map(hostname).transpose()?,
        path: declared.path.as_ref().map(rewrite_path).transpose()?,
    })
}

fn redirect_path(path: &RedirectPath) -> Result<PathEdit, Invalid> {
    path_edit(path.replace_full_path.as_deref(), path.replace_prefix_match.as_deref())
}

fn rewrite_path(path: &RewritePath) -> Result<PathEdit, Invalid> {
    path_edit(path.replace_full_path.as_deref(), path.replace_prefix_match.as_deref())
}

/// A change of the path, by whichever of its two fields is there.
fn path_edit(full: Option<&str>, prefix: Option<&str>) -> Result<PathEdit, Invalid> {
    let rooted = |path: &str| path.starts_with('/') && !path.chars().any(char::is_control);
    match (full, prefix) {
        (Some(full), None) if rooted(full) => Ok(PathEdit::Full(full.to_owned())),
        (None, Some(prefix)) if prefix.is_empty() || rooted(prefix) => {
            Ok(PathEdit::Prefix(prefix.to_owned()))
        }
        (Some(path), None) | (None, Some(path)) => {
            Err(Invalid::new(format!("path {path:?} does not start with /")))
        }
        _ => Err(Invalid::new("path: one of replaceFullPath and replacePrefixMatch is needed")),
    }
}

/// A host name without a wildcard.
fn hostname(text: &str) -> Result<String, Invalid> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    if text.is_empty() || text.len() > HOSTNAME_BYTES_MAX || !text.bytes().all(plain) {
        return Err(Invalid::new(format!("{text:?} is not a host name")));
    }
    Ok(text.to_owned())
}

fn name(filter: &Type) -> &'static str {
    match filter {
        Type::RequestHeaderModifier => "RequestHeaderModifier",
        Type::ResponseHeaderModifier => "ResponseHeaderModifier",
        Type::RequestMirror => "RequestMirror",
        Type::RequestRedirect => "RequestRedirect",
        Type::UrlRewrite => "URLRewrite",
        Type::ExtensionRef => "ExtensionRef",
        Type::Cors => "CORS",
        Type::ExternalAuth => "ExternalAuth",
    }
}

/// Longest host name (RFC 1035 section 3.1).
const HOSTNAME_BYTES_MAX: usize = 253;
