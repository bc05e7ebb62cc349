//! Where spans are sent, and by what.

use std::{fmt, str::FromStr};

use http::{Uri, uri::PathAndQuery};

use super::Error;

/// A collector: `http://HOST:PORT` or `https://HOST:PORT`, with a path where HTTP needs one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Endpoint {
    pub(super) uri: Uri,
    pub(super) host: String,
}

/// What a collector is spoken to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Protocol {
    /// OTLP by gRPC, usually at port 4317.
    #[default]
    Grpc,
    /// OTLP by HTTP/1.1 with protobuf, usually at port 4318.
    Http,
}

impl Protocol {
    /// As the argument says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Http => "http",
        }
    }
}

impl Endpoint {
    /// The port.
    pub(super) fn port(&self) -> u16 {
        let by_scheme = if self.is_tls() { HTTPS_PORT } else { HTTP_PORT };
        self.uri.port_u16().unwrap_or(by_scheme)
    }

    /// Whether it is spoken to by TLS.
    pub(super) fn is_tls(&self) -> bool {
        self.uri.scheme_str() == Some("https")
    }

    /// What is posted to, by HTTP: the path of traces below what was given (OTLP, "Endpoint URLs
    /// for OTLP/HTTP").
    pub(super) fn path(&self) -> PathAndQuery {
        let base = self.uri.path().trim_end_matches('/');
        let path = if base.ends_with(TRACES) { base.to_owned() } else { format!("{base}{TRACES}") };
        path.parse().unwrap_or(PathAndQuery::from_static(TRACES))
    }
}

impl FromStr for Endpoint {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || Error::Endpoint(text.to_owned());
        let uri = text.parse::<Uri>().map_err(|_| wrong())?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(wrong());
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(wrong)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { uri, host })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, output: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uri.fmt(output)
    }
}

/// The ports of HTTP where none is named.
const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;

/// What traces are posted to.
const TRACES: &str = "/v1/traces";
