//! What endpoints learn of a client: its address, and who it proved to be.
//!
//! **Invariant:** what a client said of its certificate never reaches an endpoint.

use std::{cell::RefCell, net::IpAddr, sync::Arc};

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{hbone::xfcc::Element, mesh::spiffe::SpiffeId};

/// What endpoints learn of one connection's client, written once.
pub(in crate::proxy) struct Forwarded {
    address: HeaderValue,
    certificate: RefCell<Option<(Arc<SpiffeId>, HeaderValue)>>,
}

impl Forwarded {
    /// Of a client at an address.
    pub(in crate::proxy) fn new(client: IpAddr) -> Self {
        Self { address: value(&client.to_string()), certificate: RefCell::default() }
    }

    /// Adds it to a request of the client, who has this identity; `by` took the connection.
    pub(super) fn add_to(
        &self,
        headers: &mut HeaderMap,
        identity: Option<&Arc<SpiffeId>>,
        by: Option<&SpiffeId>,
    ) {
        let all = self.addresses(headers);
        headers.insert(&FORWARDED_FOR, all);
        if !headers.contains_key(&FORWARDED_PROTO) {
            headers.insert(&FORWARDED_PROTO, HeaderValue::from_static("http"));
        }
        if let Some(identity) = identity {
            headers.insert(&FORWARDED_CLIENT_CERT, self.certificate(identity, by));
        }
    }

    /// The addresses of the proxies before, and the client's.
    fn addresses(&self, headers: &HeaderMap) -> HeaderValue {
        let before = headers.get_all(&FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
        let mut all = before.collect::<Vec<_>>();
        match self.address.to_str() {
            Ok(own) if !all.is_empty() => {
                all.push(own);
                value(&all.join(","))
            }
            _ => self.address.clone(),
        }
    }

    fn certificate(&self, identity: &Arc<SpiffeId>, by: Option<&SpiffeId>) -> HeaderValue {
        let mut written = self.certificate.borrow_mut();
        match &*written {
            Some((known, value)) if known == identity => value.clone(),
            _ => {
                let by = by.iter().map(ToString::to_string).collect();
                let element = Element { by, uri: vec![identity.to_string()], ..Element::default() };
                let value = value(&element.to_string());
                *written = Some((Arc::clone(identity), value.clone()));
                value
            }
        }
    }
}

/// A value that was written here, where nothing is that a field could not have.
fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

/// The identity of the client, as proxies pass it on.
pub(super) static FORWARDED_CLIENT_CERT: HeaderName =
    HeaderName::from_static("x-forwarded-client-cert");

/// The addresses of the client and of the proxies after it.
pub(super) static FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// What the client spoke to the first proxy.
static FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
