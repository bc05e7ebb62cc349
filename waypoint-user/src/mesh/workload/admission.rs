//! What is asked of connections to a workload before anybody reads what they say.
//!
//! It enforces nothing; `kernel` and the agent do.

use std::net::IpAddr;

/// Which connections to a workload are counted or refused because they pass its waypoints by.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Admission {
    /// What is done about them.
    pub mode: AdmissionMode,
    /// Addresses that connections of its waypoints come from.
    pub sources: Vec<IpAddr>,
    /// Ports that anybody may dial.
    pub exempt_ports: Vec<u16>,
    /// Whether plaintext is refused on every port, whoever sends it.
    pub mutual_tls: bool,
}

/// What is done about connections that pass the waypoints of their destination by; annotation
/// [`ADMISSION`](crate::mesh::label::ADMISSION).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Ord, PartialOrd)]
pub enum AdmissionMode {
    /// Nothing.
    #[default]
    Off,
    /// They are counted.
    Count,
    /// They are refused.
    Strict,
}

impl AdmissionMode {
    /// Parses the annotation's value.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Off, Self::Count, Self::Strict].into_iter().find(|mode| mode.as_str() == word)
    }

    /// The annotation's value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Count => "count",
            Self::Strict => "strict",
        }
    }
}

/// On which ports of a workload callers must prove who they are (Istio PeerAuthentication); on the
/// others they may.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct MutualTls {
    /// Whether they must on ports of which nothing else is said.
    pub strict: bool,
    /// Ports on which the opposite holds.
    pub exceptions: Vec<u16>,
}

impl MutualTls {
    /// Whether callers of the port must prove who they are.
    pub fn is_required(&self, port: u16) -> bool {
        self.strict != self.exceptions.contains(&port)
    }

    /// Whether they must on every port.
    pub fn is_required_everywhere(&self) -> bool {
        self.strict && self.exceptions.is_empty()
    }
}
