//! Who may read answers from a page of another origin (Gateway API `HTTPCORSFilter`).
//!
//! It writes no fields; what an answer says is `route`'s.

/// Cross-origin requests that are allowed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cors {
    /// The origins that may ask.
    pub origins: Vec<OriginPattern>,
    /// Whether they may ask with credentials.
    pub credentials: bool,
    /// The methods that they may ask with.
    pub methods: Names,
    /// The fields that they may send.
    pub headers: Names,
    /// The fields that they may read.
    pub exposed: Names,
    /// For how many seconds the answer to a preflight holds.
    pub max_age: u32,
}

impl Cors {
    /// Whether an origin may ask.
    pub fn allows(&self, origin: &str) -> bool {
        self.origins.iter().any(|pattern| pattern.matches(origin))
    }

    /// Whether every origin may ask.
    pub fn allows_all(&self) -> bool {
        self.origins.contains(&OriginPattern::Any)
    }
}

/// Names that are listed, or all of them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Names {
    /// Every one (`*`).
    All,
    /// These, which may be none.
    These(Vec<String>),
}

impl Default for Names {
    fn default() -> Self {
        Self::These(Vec::new())
    }
}

/// Origins, `scheme://host` with an optional port.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum OriginPattern {
    /// Every one.
    Any,
    /// Exactly this one, in lower case and without a port that its scheme implies.
    Exact(String),
    /// Those of a scheme whose host ends so (`https://*.example.com`), with just this port.
    Suffix {
        /// The scheme, with `://`.
        scheme: String,
        /// How the host ends.
        suffix: String,
        /// The port with its colon; empty for the one that the scheme implies.
        port: String,
    },
}

impl OriginPattern {
    /// Parses a pattern; `None` when it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Any);
        }
        let (scheme, host, port) = parts(text)?;
        if scheme != "http://" && scheme != "https://" {
            return None;
        }
        match host.strip_prefix('*') {
            Some(suffix) if suffix.contains('*') => None,
            Some(suffix) => Some(Self::Suffix { scheme, suffix: suffix.to_owned(), port }),
            None if host.is_empty() || host.contains('*') => None,
            None => Some(Self::Exact(format!("{scheme}{host}{port}"))),
        }
    }

    /// Whether an origin, as a browser writes it, is meant.
    pub fn matches(&self, origin: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => parts(origin)
                .is_some_and(|(scheme, host, port)| *exact == format!("{scheme}{host}{port}")),
            Self::Suffix { scheme, suffix, port } => parts(origin).is_some_and(|(of, host, on)| {
                let longer = host.len() > suffix.len() && host.ends_with(suffix.as_str());
                of == *scheme && on == *port && longer
            }),
        }
    }
}

/// Scheme with `://`, host in lower case, and port with its colon unless the scheme implies it.
fn parts(origin: &str) -> Option<(String, String, String)> {
    let (scheme, rest) = origin.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => (host, port),
        _ => (rest, ""),
    };
    if rest.contains(['/', '?', '#', '@', ' ']) {
        return None;
    }
    let implied = matches!((scheme.as_str(), port), (_, "") | ("http", "80") | ("https", "443"));
    let port = if implied { String::new() } else { format!(":{port}") };
    Some((format!("{scheme}://"), host.to_ascii_lowercase(), port))
}

#[cfg(test)]
mod tests;
