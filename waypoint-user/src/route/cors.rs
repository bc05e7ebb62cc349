//! What answers say to requests of another origin (Fetch section 3.2.3, Gateway API
//! `HTTPCORSFilter`).

use crate::mesh::{
    request::RequestHead,
    route::{Cors, HeaderEdit, Names},
};

use super::candidate::{PREFLIGHT, REQUESTED_METHOD};

/// What is said to a question whether a request may be sent; `None` when the request is no such
/// question. An origin that may not ask is told nothing.
pub(super) fn preflight(allowed: &Cors, head: &dyn RequestHead) -> Option<HeaderEdit> {
    let origin = head.header(ORIGIN)?;
    let method = head.header(REQUESTED_METHOD).filter(|_| head.method() == PREFLIGHT)?;
    let mut edit = HeaderEdit::default();
    if !allowed.allows(&origin) {
        return Some(edit);
    }
    let mut say = |name: &str, value: String| edit.set.push((name.to_owned(), value));
    if let Some(methods) = granted(&allowed.methods, allowed, Some(&method)) {
        say("access-control-allow-methods", methods);
    }
    let wanted = head.header("access-control-request-headers");
    if let Some(headers) = granted(&allowed.headers, allowed, wanted.as_deref()) {
        say("access-control-allow-headers", headers);
    }
    say("access-control-max-age", allowed.max_age.to_string());
    grant_origin(&mut edit, allowed, &origin);
    Some(edit)
}

/// What is said with the answer to a request of an origin that may ask.
pub(super) fn response(allowed: &Cors, head: &dyn RequestHead) -> Option<HeaderEdit> {
    let origin = head.header(ORIGIN).filter(|origin| allowed.allows(origin))?;
    let mut edit = HeaderEdit::default();
    if let Some(exposed) = granted(&allowed.exposed, allowed, None) {
        edit.set.push(("access-control-expose-headers".to_owned(), exposed));
    }
    grant_origin(&mut edit, allowed, &origin);
    Some(edit)
}

fn grant_origin(edit: &mut HeaderEdit, allowed: &Cors, origin: &str) {
    let to_all = allowed.allows_all() && !allowed.credentials;
    let granted = if to_all { "*" } else { origin };
    edit.set.push(("access-control-allow-origin".to_owned(), granted.to_owned()));
    if !to_all {
        // Caches must not hand it to another origin.
        edit.add.push(("vary".to_owned(), "Origin".to_owned()));
    }
    if allowed.credentials {
        edit.set.push(("access-control-allow-credentials".to_owned(), "true".to_owned()));
    }
}

/// The names that are granted: with credentials, `*` would be a name like any other, so what was
/// asked for is named instead.
fn granted(names: &Names, allowed: &Cors, wanted: Option<&str>) -> Option<String> {
    match names {
        Names::These(names) => (!names.is_empty()).then(|| names.join(", ")),
        Names::All if !allowed.credentials => Some("*".to_owned()),
        Names::All => wanted.map(str::to_owned),
    }
}

const ORIGIN: &str = "origin";
