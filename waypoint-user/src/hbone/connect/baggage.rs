//! The field `baggage` (W3C Baggage), as ztunnel writes it (`src/baggage.rs`).

use std::fmt;

/// Longest field that is read; of a longer one nothing is.
const BYTES_MAX: usize = 8192;

/// Members that are read; those behind them are not.
const MEMBERS_MAX: usize = 64;

/// Longest value that is kept, decoded; a longer one is as if it were not there.
const VALUE_BYTES_MAX: usize = 256;

/// The kinds that a workload may be of.
const KINDS: [&str; 4] = ["deployment", "cronjob", "pod", "job"];

/// What the client's node says of it. Values are never empty.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Baggage {
    /// `k8s.cluster.name`.
    pub cluster: Option<String>,
    /// `k8s.namespace.name`.
    pub namespace: Option<String>,
    /// `k8s.<kind>.name`: kind (`deployment`, `cronjob`, `pod`, `job`) and name.
    pub workload: Option<(String, String)>,
    /// `service.name`.
    pub service: Option<String>,
    /// `service.version`.
    pub revision: Option<String>,
    /// `cloud.region`.
    pub region: Option<String>,
    /// `cloud.availability_zone`.
    pub zone: Option<String>,
}

impl Baggage {
    /// Reads what it knows; unknown and malformed members are passed over, and of several with one
    /// name the first counts.
    pub fn parse(text: &str) -> Self {
        let mut baggage = Self::default();
        if text.len() <= BYTES_MAX {
            let members = text.split(',').take(MEMBERS_MAX).filter_map(member);
            members.for_each(|(name, value)| baggage.keep(name, value));
        }
        baggage
    }

    /// True where nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn keep(&mut self, name: &str, value: String) {
        let slot = match name {
            "k8s.cluster.name" => &mut self.cluster,
            "k8s.namespace.name" => &mut self.namespace,
            "service.name" => &mut self.service,
            "service.version" => &mut self.revision,
            "cloud.region" => &mut self.region,
            "cloud.availability_zone" => &mut self.zone,
            _ => {
                if let Some(kind) = kind(name) {
                    self.workload.get_or_insert_with(|| (kind.to_owned(), value));
                }
                return;
            }
        };
        slot.get_or_insert(value);
    }
}

impl fmt::Display for Baggage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, workload) = match &self.workload {
            Some((kind, name)) => (format!("k8s.{kind}.name"), Some(name)),
            None => (String::new(), None),
        };
        let members = [
            ("k8s.cluster.name", self.cluster.as_ref()),
            ("k8s.namespace.name", self.namespace.as_ref()),
            (&kind, workload),
            ("service.name", self.service.as_ref()),
            ("service.version", self.revision.as_ref()),
            ("cloud.region", self.region.as_ref()),
            ("cloud.availability_zone", self.zone.as_ref()),
        ];
        let said = members.into_iter().filter_map(|(name, value)| Some((name, value?)));
        for (index, (name, value)) in said.filter(|(_, value)| !value.is_empty()).enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{name}={}", Encoded(value))?;
        }
        Ok(())
    }
}

/// The kind in `k8s.<kind>.name`.
fn kind(name: &str) -> Option<&str> {
    let kind = name.strip_prefix("k8s.")?.strip_suffix(".name")?;
    KINDS.contains(&kind).then_some(kind)
}

/// A member's name and value, without its properties.
fn member(text: &str) -> Option<(&str, String)> {
    let (name, value) = text.split_once('=')?;
    let value = value.split(';').next().unwrap_or_default();
    let value = decode(trim(value))?;
    let is_kept = (1..=VALUE_BYTES_MAX).contains(&value.len());
    is_kept.then(|| (trim(name), value))
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// A value decoded; `None` where it has bytes that must be encoded, or is not UTF-8.
fn decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => digit(bytes.next()?)? << 4 | digit(bytes.next()?)?,
            byte if is_plain(byte) => byte,
            _ => return None,
        });
    }
    String::from_utf8(decoded).ok()
}

fn digit(byte: u8) -> Option<u8> {
    u8::try_from(char::from(byte).to_digit(16)?).ok()
}

/// True for bytes that a value may hold as they are (`baggage-octet`), but for `%`.
fn is_plain(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x24 | 0x26..=0x2B | 0x2D..=0x3A | 0x3C..=0x5B | 0x5D..=0x7E)
}

/// A value as it is written.
struct Encoded<'v>(&'v str);

impl fmt::Display for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            if is_plain(byte) {
                write!(f, "{}", char::from(byte))?;
            } else {
                write!(f, "%{byte:02X}")?;
            }
        }
        Ok(())
    }
}
