//! Where a redirect leads (Gateway API HTTPRequestRedirectFilter).

use crate::mesh::{request::RequestHead, route::Redirect};

use super::path_edit;

/// The field `Location`: what the redirect does not say is the request's. Without a port of its own
/// it keeps the port of the Service, unless it names a scheme, which then brings its own; a port
/// that the scheme implies is left out.
pub(super) fn location(
    redirect: &Redirect,
    head: &dyn RequestHead,
    service_port: u16,
    prefix_len: Option<usize>,
) -> String {
    let path = target(redirect, head, prefix_len);
    let host = redirect.hostname.as_deref().unwrap_or_else(|| without_port(head.authority()));
    if host.is_empty() {
        return path;
    }
    let scheme = redirect.scheme.as_deref().unwrap_or_else(|| head.scheme());
    let kept_port = redirect.scheme.is_none().then_some(service_port);
    match redirect.port.or(kept_port) {
        Some(port) if !is_implied(port, scheme) => format!("{scheme}://{host}:{port}{path}"),
        _ => format!("{scheme}://{host}{path}"),
    }
}

/// The path and the query.
fn target(redirect: &Redirect, head: &dyn RequestHead, prefix_len: Option<usize>) -> String {
    let edited = redirect.path.as_ref();
    let edited = edited.and_then(|edit| path_edit::apply(edit, head.path(), prefix_len));
    let path = edited.unwrap_or_else(|| {
        // A request for `*` has no path that a Location could hold.
        let path = head.path();
        if path.starts_with('/') { path.to_owned() } else { "/".to_owned() }
    });
    path_edit::with_query(path, head.query())
}

/// The host of an authority; an IPv6 address keeps its brackets.
fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => host,
        _ => authority,
    }
}

fn is_implied(port: u16, scheme: &str) -> bool {
    matches!((scheme, port), ("http", 80) | ("https", 443))
}
