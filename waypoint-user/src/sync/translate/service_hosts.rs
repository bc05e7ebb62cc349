//! What a ServiceEntry must fulfil by itself, and the parts of it that can be read alone: hosts,
//! addresses, ports (Istio `pkg/config/validation/validation.go`, `ValidateServiceEntry`).
//!
//! It looks at no other object.

use std::net::IpAddr;

use crate::{
    mesh::{address::IpBlock, external::is_wildcard, service::ServicePort},
    sync::service_entry::{Port, Resolution, ServiceEntry, Spec},
};

use super::{invalid::Invalid, meta, ports, workload_entries};

/// Hosts, addresses, ports and endpoints.
pub(super) fn check(declared: &ServiceEntry) -> Result<(), Invalid> {
    let spec = &declared.spec;
    if spec.hosts.is_empty() {
        return Err(Invalid::field("spec.hosts", "it has none"));
    }
    spec.hosts.iter().try_for_each(|host| check_host(host))?;
    for text in &spec.addresses {
        block(text).map_err(|cause| Invalid::field("spec.addresses", cause))?;
    }
    for (index, declared) in spec.ports.iter().enumerate() {
        let field = format!("spec.ports[{index}]");
        port(declared).map_err(|cause| Invalid::field(&field, cause))?;
        if declared.target_port != 0 {
            meta::port(declared.target_port).map_err(|cause| Invalid::field(&field, cause))?;
        }
    }
    for (index, endpoint) in spec.endpoints.iter().enumerate() {
        let field = format!("spec.endpoints[{index}]");
        workload_entries::check(endpoint).map_err(|cause| Invalid::field(&field, cause))?;
    }
    check_together(spec)
}

/// What one field forbids of another.
fn check_together(spec: &Spec) -> Result<(), Invalid> {
    if !spec.endpoints.is_empty() && spec.workload_selector.is_some() {
        return Err(Invalid::new("spec.endpoints and spec.workloadSelector exclude each other"));
    }
    let wildcard = spec.hosts.iter().any(|host| is_wildcard(host));
    let by_name = matches!(spec.resolution, Resolution::Dns | Resolution::DnsRoundRobin);
    if wildcard && by_name && spec.endpoints.is_empty() && spec.workload_selector.is_none() {
        let message = "a wildcard host cannot be looked up; name endpoints";
        return Err(Invalid::field("spec.resolution", message));
    }
    if spec.resolution == Resolution::None && !spec.endpoints.is_empty() {
        let message = "NONE looks at no endpoints; leave out spec.endpoints or choose another";
        return Err(Invalid::field("spec.resolution", message));
    }
    Ok(())
}

/// A host name, of which the first label may be `*`.
fn check_host(host: &str) -> Result<(), Invalid> {
    let name = host.strip_prefix("*.").unwrap_or(host);
    if workload_entries::is_host(name) && name.parse::<IpAddr>().is_err() {
        return Ok(());
    }
    Err(Invalid::field("spec.hosts", format!("{host:?} is not a host name")))
}

/// An address or a range.
fn block(text: &str) -> Result<IpBlock, Invalid> {
    text.parse::<IpBlock>().map(IpBlock::canonical).map_err(|cause| Invalid::new(cause.to_string()))
}

/// A port.
fn port(declared: &Port) -> Result<ServicePort, Invalid> {
    let number = meta::port(declared.number)?;
    let word = Some(declared.protocol.as_str()).filter(|word| !word.is_empty());
    let protocol = ports::protocol(word, &declared.name, number);
    Ok(ServicePort { name: declared.name.clone(), number, protocol })
}

/// The TCP ports; the numbers of others.
pub(super) fn tcp_ports(spec: &Spec) -> (Vec<ServicePort>, Vec<i64>) {
    let (udp, tcp): (Vec<&Port>, Vec<&Port>) =
        spec.ports.iter().partition(|port| port.protocol.eq_ignore_ascii_case("UDP"));
    let tcp = tcp.into_iter().filter_map(|declared| port(declared).ok()).collect();
    (tcp, udp.into_iter().map(|port| port.number).collect())
}

/// The addresses by which clients dial a host: those that are written, else those that somebody
/// chose for it.
pub(super) fn addresses(declared: &ServiceEntry, host: &str) -> (Vec<IpAddr>, Vec<IpBlock>) {
    let written = declared.spec.addresses.iter();
    let mut blocks: Vec<IpBlock> = written.filter_map(|text| block(text).ok()).collect();
    if blocks.is_empty() {
        let chosen = declared.status.iter().flat_map(|status| &status.addresses);
        let own = chosen.filter(|one| one.host.is_empty() || one.host == host);
        blocks = own.filter_map(|one| block(&one.value).ok()).collect();
    }
    let (mut vips, mut ranges) = (Vec::new(), Vec::new());
    for block in blocks {
        match block.single() {
            Some(address) if !vips.contains(&address) => vips.push(address),
            None if !ranges.contains(&block) => ranges.push(block),
            _ => {}
        }
    }
    (vips, ranges)
}
