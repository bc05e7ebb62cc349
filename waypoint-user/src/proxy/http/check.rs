//! What a request must be, beyond what the codec checks.

use http::{Method, Version, header::HOST, request::Parts};

use crate::proxy::respond::Fault;

use super::connect;

/// The authority that a request asks for. That of its target counts more than `Host`
/// (RFC 9112 section 3.2.2, RFC 9113 section 8.3.1).
pub(super) fn authority(parts: &Parts) -> Result<String, Fault> {
    let mut hosts = parts.headers.get_all(HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(Fault::BadRequest("more than one Host"));
    }
    let authority = match (parts.uri.authority(), host) {
        (Some(authority), _) => authority.as_str(),
        (None, Some(host)) => host.to_str().map_err(|_| Fault::BadRequest("Host is not text"))?,
        (None, None) if parts.version == Version::HTTP_11 => {
            return Err(Fault::BadRequest("no Host"));
        }
        (None, None) => "",
    };
    let is_bare_ipv6 = !authority.starts_with('[') && authority.matches(':').count() > 1;
    if is_bare_ipv6 || authority.contains(['@', '/', '?', '#', ' ', ',']) {
        return Err(Fault::BadRequest("the authority is no host and port"));
    }
    Ok(authority.to_owned())
}

/// Whether a request can be forwarded at all.
pub(super) fn request(parts: &Parts, has_body: bool) -> Result<(), Fault> {
    if parts.method == Method::CONNECT {
        return connect::check(parts, has_body);
    }
    let path = parts.uri.path();
    let asterisk = path == "*" && parts.method == Method::OPTIONS;
    if !path.starts_with('/') && !asterisk {
        return Err(Fault::BadRequest("the path does not begin with a slash"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
