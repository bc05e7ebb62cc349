//! Lists of fields as messages: what a request, a response and trailers must have, and must not
//! (RFC 9113 section 8).
//!
//! **Invariant:** what two readers could understand in two ways is malformed.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri,
    header::{CONNECTION, CONTENT_LENGTH, EXPECT, HOST, TE, TRANSFER_ENCODING, UPGRADE},
    uri::{self, Authority, PathAndQuery, Scheme},
};

use super::hpack::{Field, Pseudo};

/// The head of a request.
#[derive(Clone, Debug)]
pub struct RequestHead {
    /// The method.
    pub method: Method,
    /// What is asked for; without a scheme where it has no authority.
    pub target: Uri,
    /// What an extended CONNECT asks for (RFC 8441).
    pub protocol: Option<HeaderValue>,
    /// The fields, as they came.
    pub headers: HeaderMap,
}

/// The head of a response.
#[derive(Clone, Debug)]
pub struct ResponseHead {
    /// The status.
    pub status: StatusCode,
    /// The fields, as they came.
    pub headers: HeaderMap,
}

/// Why a list of fields is no message.
pub(super) type Malformed = &'static str;

/// A list of fields, so far.
#[derive(Debug, Default)]
pub(super) struct Draft {
    method: Option<Method>,
    scheme: Option<Scheme>,
    authority: Option<Authority>,
    path: Option<PathAndQuery>,
    protocol: Option<HeaderValue>,
    status: Option<StatusCode>,
    headers: HeaderMap,
    /// Whether a field came that is none of those above.
    begun: bool,
    length: Option<u64>,
    awaits_leave: bool,
    wrong: Option<Malformed>,
}

impl Draft {
    /// Takes the next field.
    pub(super) fn see(&mut self, field: Field) {
        if self.wrong.is_none() {
            self.wrong = self.take(field).err();
        }
    }

    /// How long the body is, where that is told.
    pub(super) fn length(&self) -> Option<u64> {
        self.length
    }

    /// Whether the peer waits to be told to send the body.
    pub(super) fn awaits_leave(&self) -> bool {
        self.awaits_leave
    }

    /// Whether it can be the head of a response before the final one.
    pub(super) fn is_interim(&self) -> bool {
        self.status.is_some_and(|status| status.is_informational())
    }

    /// As a request.
    pub(super) fn request(self) -> Result<RequestHead, Malformed> {
        self.wrong.map_or(Ok(()), Err)?;
        let method = self.method.ok_or("a request without :method")?;
        let is_plain_connect = method == Method::CONNECT && self.protocol.is_none();
        let is_whole = if is_plain_connect {
            self.scheme.is_none() && self.path.is_none() && self.authority.is_some()
        } else {
            self.scheme.is_some() && self.path.is_some()
        };
        if self.status.is_some() || !is_whole {
            return Err("a request without the pseudo-fields that it must have");
        }
        if self.protocol.is_some() && (method != Method::CONNECT || self.authority.is_none()) {
            return Err(":protocol in what is no extended CONNECT");
        }
        if let (Some(authority), Some(host)) = (&self.authority, self.headers.get(HOST))
            && !authority.as_str().as_bytes().eq_ignore_ascii_case(host.as_bytes())
        {
            return Err("host is another than :authority");
        }
        let mut target = uri::Parts::default();
        // A target with a scheme and no authority is none.
        target.scheme = self.scheme.filter(|_| self.authority.is_some());
        target.authority = self.authority;
        target.path_and_query = self.path;
        let target = Uri::from_parts(target).map_err(|_| "a target that is none")?;
        Ok(RequestHead { method, target, protocol: self.protocol, headers: self.headers })
    }

    /// As a response.
    pub(super) fn response(self) -> Result<ResponseHead, Malformed> {
        self.wrong.map_or(Ok(()), Err)?;
        let status = self.status.ok_or("a response without :status")?;
        let asks = self.method.is_some() || self.scheme.is_some() || self.path.is_some();
        if asks || self.authority.is_some() || self.protocol.is_some() {
            return Err("a response with the pseudo-fields of a request");
        }
        if status == StatusCode::SWITCHING_PROTOCOLS {
            return Err("a change of protocol, which HTTP/2 does not know");
        }
        Ok(ResponseHead { status, headers: self.headers })
    }

    /// As trailers.
    pub(super) fn trailers(self) -> Result<HeaderMap, Malformed> {
        self.wrong.map_or(Ok(()), Err)?;
        let asks = self.method.is_some() || self.scheme.is_some() || self.path.is_some();
        if asks || self.authority.is_some() || self.protocol.is_some() || self.status.is_some() {
            return Err("trailers with pseudo-fields");
        }
        Ok(self.headers)
    }

    fn take(&mut self, field: Field) -> Result<(), Malformed> {
        let (name, value) = match field {
            Field::Header(name, value) => (name, value),
            Field::Pseudo(..) if self.begun => return Err("a pseudo-field behind a field"),
            Field::Pseudo(name, value) => return self.take_pseudo(name, value),
            Field::Malformed => return Err("a field that none is"),
        };
        self.begun = true;
        self.check(&name, &value)?;
        if self.headers.is_empty() {
            self.headers.reserve(FIELDS);
        }
        let kept = self.headers.try_append(name, value);
        kept.map(drop).map_err(|_| "more fields than are understood")
    }

    fn take_pseudo(&mut self, name: Pseudo, value: Bytes) -> Result<(), Malformed> {
        let again = match name {
            Pseudo::Method => {
                let method = Method::from_bytes(&value).map_err(|_| "a method that is none")?;
                self.method.replace(method).is_some()
            }
            Pseudo::Scheme => {
                let scheme = Scheme::try_from(&*value).map_err(|_| "a scheme that is none")?;
                self.scheme.replace(scheme).is_some()
            }
            Pseudo::Authority => {
                let authority = Authority::from_maybe_shared(value);
                let authority = authority.map_err(|_| "an authority that is none")?;
                self.authority.replace(authority).is_some()
            }
            Pseudo::Path => {
                // As in HTTP/1, bytes that somebody on the way may read in another way are none.
                let is_target = !value.is_empty() && value.is_ascii() && !value.contains(&b'#');
                let path = PathAndQuery::from_maybe_shared(value).ok().filter(|_| is_target);
                self.path.replace(path.ok_or("a path that is none")?).is_some()
            }
            Pseudo::Protocol => {
                let protocol = HeaderValue::from_maybe_shared(value);
                let protocol = protocol.map_err(|_| "a protocol that is none")?;
                self.protocol.replace(protocol).is_some()
            }
            Pseudo::Status => {
                let status = StatusCode::from_bytes(&value).map_err(|_| "a status that is none")?;
                self.status.replace(status).is_some()
            }
        };
        if again { Err("a pseudo-field twice") } else { Ok(()) }
    }

    /// Whether a field may be there (RFC 9113 section 8.2.2).
    fn check(&mut self, name: &HeaderName, value: &HeaderValue) -> Result<(), Malformed> {
        match *name {
            CONTENT_LENGTH => {
                let length = length(value.as_bytes()).ok_or("a length that is none")?;
                if self.length.replace(length).is_some() {
                    return Err("more than one length");
                }
            }
            TE if value != "trailers" => return Err("te with more than trailers"),
            EXPECT => self.awaits_leave |= value.as_bytes().eq_ignore_ascii_case(b"100-continue"),
            _ if is_of_connection(name) => {
                return Err("a field that holds for a connection of HTTP/1");
            }
            _ => {}
        }
        Ok(())
    }
}

/// The number that digits are, and nothing but digits.
fn length(text: &[u8]) -> Option<u64> {
    let is_number = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(text).ok().filter(|_| is_number)?.parse().ok();
    number.filter(|length| *length <= LENGTH_MAX)
}

/// Whether a field holds for a connection of HTTP/1, and has no place here.
pub(super) fn is_of_connection(name: &HeaderName) -> bool {
    matches!(*name, CONNECTION | TRANSFER_ENCODING | UPGRADE) || OF_CONNECTION.contains(name)
}

/// Fields that are of another kind, and hold for a connection all the same.
static OF_CONNECTION: [HeaderName; 2] =
    [HeaderName::from_static("keep-alive"), HeaderName::from_static("proxy-connection")];

/// Fields that most messages do not have more of.
const FIELDS: usize = 12;

/// Longest body that may be announced: some take lengths as signed.
const LENGTH_MAX: u64 = u64::MAX / 2;
