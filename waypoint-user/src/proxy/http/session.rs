//! Sessions: which endpoint a client's requests go to (Gateway API GEP-1619).
//!
//! What a client carries names the backend and the endpoint of its session by a hash, and when it
//! began; nothing is kept here, so every replica understands it. It is no secret and no proof: the
//! most that a client can do with one of its own making is choose among the endpoints of its route.
//!
//! **Invariant:** a session that names no endpoint of the rule, or is too old, is none.

use std::{net::SocketAddr, time::SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue, header::SET_COOKIE};

use crate::mesh::{
    object::ObjectName,
    request::RequestHead,
    route::{Carrier, Persistence},
};

/// What a client carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Session {
    backend: u32,
    endpoint: u64,
    /// Seconds since the epoch.
    began: u64,
    seen: u64,
}

impl Session {
    /// The session that a request belongs to, if it is still one.
    pub(super) fn of(head: &dyn RequestHead, by: &Persistence, now: u64) -> Option<Self> {
        let session = match by.carrier {
            Carrier::Header => Self::parse(head.header(&by.name)?.trim()),
            Carrier::Cookie { .. } => {
                let cookies = head.header("cookie")?;
                // HTTP/2 may bring them in several fields, which are joined by a comma here.
                let mut pairs = cookies.split([';', ',']).filter_map(|pair| pair.split_once('='));
                let value =
                    pairs.find(|(name, _)| name.trim() == by.name).map(|(_, value)| value)?;
                Self::parse(value.trim().trim_matches('"'))
            }
        }?;
        let younger = |since: u64, most: Option<std::time::Duration>| {
            most.is_none_or(|most| now.saturating_sub(since) < most.as_secs().max(1))
        };
        (younger(session.began, by.absolute) && younger(session.seen, by.idle)).then_some(session)
    }

    /// Whether it is one of this backend.
    pub(super) fn is_of(&self, service: &ObjectName, port: u16) -> bool {
        self.backend == backend(service, port)
    }

    /// Whether it is one of this endpoint.
    pub(super) fn is_at(&self, address: SocketAddr) -> bool {
        self.endpoint == endpoint(address)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let (place, began, seen) = (parts.next()?, parts.next()?, parts.next()?);
        let (of_backend, of_endpoint) = place.split_at_checked(BACKEND_DIGITS)?;
        parts.next().is_none().then_some(Self {
            backend: u32::from_str_radix(of_backend, 16).ok()?,
            endpoint: u64::from_str_radix(of_endpoint, 16).ok()?,
            began: u64::from_str_radix(began, 16).ok()?,
            seen: u64::from_str_radix(seen, 16).ok()?,
        })
    }

    fn write(&self) -> String {
        let Self { backend, endpoint, began, seen } = self;
        format!("{backend:08x}{endpoint:016x}.{began:x}.{seen:x}")
    }
}

/// The sessions of a rule, as one request meets them.
#[derive(Debug)]
pub(super) struct Sessions<'t> {
    pub(super) by: &'t Persistence,
    /// The session that the request belongs to.
    pub(super) current: Option<Session>,
    /// The backend that was chosen.
    pub(super) backend: (&'t ObjectName, u16),
    /// The part of the path for which it holds.
    pub(super) path: String,
}

impl Sessions<'_> {
    /// Tells the client which session it has, unless it knows.
    pub(super) fn tell(&self, headers: &mut HeaderMap, answered: SocketAddr, now: u64) {
        let (service, port) = self.backend;
        let known = self.current.filter(|one| one.is_of(service, port) && one.is_at(answered));
        if known.is_some() && self.by.idle.is_none() {
            return;
        }
        let session = Session {
            backend: backend(service, port),
            endpoint: endpoint(answered),
            began: known.map_or(now, |known| known.began),
            seen: now,
        };
        let (name, value) = match self.by.carrier {
            Carrier::Header => {
                let Ok(name) = self.by.name.parse::<HeaderName>() else { return };
                (name, session.write())
            }
            Carrier::Cookie { permanent } => (SET_COOKIE, self.cookie(&session, permanent, now)),
        };
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.append(name, value);
        }
    }

    /// A cookie that scripts do not see. It may go over plain HTTP, as that is what is spoken here.
    fn cookie(&self, session: &Session, permanent: bool, now: u64) -> String {
        let (name, path, token) = (&self.by.name, &self.path, session.write());
        let most = self.by.absolute.filter(|_| permanent);
        let age = most.map(|most| {
            let left = most.as_secs().saturating_sub(now.saturating_sub(session.began));
            format!("; Max-Age={left}")
        });
        let age = age.unwrap_or_default();
        format!("{name}={token}; Path={path}; HttpOnly; SameSite=Lax{age}")
    }
}

/// The part of a path that a cookie can be for: what a prefix matched.
pub(super) fn cookie_path(path: &str, prefix_len: Option<usize>) -> String {
    let matched = prefix_len.and_then(|len| path.get(..len)).unwrap_or_default();
    if matched.is_empty() || matched.contains([';', ',']) {
        "/".to_owned()
    } else {
        matched.to_owned()
    }
}

/// The time, in seconds since the epoch.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

fn backend(service: &ObjectName, port: u16) -> u32 {
    let hash = hash(format!("{service}:{port}").as_bytes());
    u32::try_from(hash >> u32::BITS).unwrap_or_default()
}

fn endpoint(address: SocketAddr) -> u64 {
    hash(address.to_string().as_bytes())
}

/// FNV-1a, with its bits mixed; the same in every version, as clients keep what it makes.
fn hash(bytes: &[u8]) -> u64 {
    let fnv = bytes
        .iter()
        .fold(FNV_OFFSET, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(FNV_PRIME));
    let mixed = (fnv ^ (fnv >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 32)
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;
const BACKEND_DIGITS: usize = 8;

#[cfg(test)]
mod tests;
