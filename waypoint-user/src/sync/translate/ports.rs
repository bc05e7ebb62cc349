//! Ports of Services and what is spoken on them (Istio `pkg/config/kube/conversion.go`).
//!
//! It looks at no traffic.

use k8s_openapi::api::core::v1::ServicePort as Declared;

use crate::mesh::service::{AppProtocol, ServicePort};

use super::{invalid::Invalid, meta};

/// Whether the port carries TCP, which is what we capture.
pub(super) fn is_tcp(protocol: Option<&str>) -> bool {
    matches!(protocol, None | Some("" | "TCP"))
}

/// A TCP port of a Service.
pub(super) fn port(declared: &Declared) -> Result<ServicePort, Invalid> {
    let number = meta::port(declared.port).map_err(|cause| Invalid::field("spec.ports", cause))?;
    let name = declared.name.clone().unwrap_or_default();
    let protocol = protocol(declared.app_protocol.as_deref(), &name, number);
    Ok(ServicePort { name, number, protocol })
}

/// What is spoken: as `appProtocol` says, else the beginning of the name, else the port's custom.
pub(super) fn protocol(app_protocol: Option<&str>, name: &str, number: u16) -> AppProtocol {
    let word = app_protocol.unwrap_or(name).to_ascii_lowercase();
    match word.as_str() {
        "kubernetes.io/h2c" => return AppProtocol::Http2,
        "kubernetes.io/ws" => return AppProtocol::Http,
        "kubernetes.io/wss" => return AppProtocol::Tcp,
        _ => {}
    }
    match word.split('-').next().unwrap_or_default() {
        "http" => AppProtocol::Http,
        "http2" | "grpc" => AppProtocol::Http2,
        "tcp" | "tls" | "https" | "mongo" | "redis" | "mysql" => AppProtocol::Tcp,
        _ if SERVER_FIRST.contains(&number) => AppProtocol::Tcp,
        _ => AppProtocol::Detect,
    }
}

/// Ports on which the server customarily speaks first or not HTTP: SMTP, DNS, MySQL, MongoDB.
const SERVER_FIRST: [u16; 4] = [25, 53, 3306, 27017];
