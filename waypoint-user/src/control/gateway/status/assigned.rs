//! Where a waypoint is reached: its Service, once pods of it are ready.

use gateway_api::experimental::gateways::{Gateway, GatewayStatusAddresses};
use k8s_openapi::api::core::v1::ServiceSpec;

use crate::{
    control::gateway::{names::Names, ours::Runs},
    mesh::{label::SERVICE_NAME, object::ObjectName},
    sync::objects::Objects,
};

use super::{Facts, address};

/// Where a waypoint is reached, or why nowhere.
#[derive(Clone, Debug, Default)]
pub(super) struct Assigned {
    /// Its addresses; nothing where there is nothing new to say of them.
    pub(super) addresses: Option<Vec<GatewayStatusAddresses>>,
    /// Why it is not reached at all of them, as one word.
    pub(super) missing: Option<&'static str>,
    /// The same as a sentence.
    pub(super) message: String,
}

impl Assigned {
    /// That of a Gateway.
    pub(super) fn of(gateway: &Gateway, facts: &Facts<'_>) -> Self {
        let namespace = gateway.metadata.namespace.as_deref().unwrap_or_default();
        let domain = facts.cluster_domain;
        match facts.runs {
            Runs::InAgents => {
                let message = "Resource programmed, served by the agents of its clients' nodes";
                Self { message: message.to_owned(), ..Self::default() }
            }
            Runs::InPods => {
                let service = Names::of(gateway).object;
                Self::to(facts.objects, &[host(&service, domain)], domain, "AddressNotAssigned")
            }
            Runs::Elsewhere => {
                let asked = gateway.spec.addresses.iter().flatten();
                let asked = asked.filter(|one| one.r#type.as_deref() == Some(HOSTNAME));
                let hosts = asked.filter_map(|one| {
                    let value = one.value.as_deref()?;
                    let short = || host(&ObjectName::new(namespace, value), domain);
                    Some(if value.contains('.') { value.to_owned() } else { short() })
                });
                let hosts: Vec<_> = hosts.collect();
                Self::to(facts.objects, &hosts, domain, "AddressNotUsable")
            }
        }
    }

    /// At these hosts.
    fn to(objects: &Objects, hosts: &[String], domain: &str, missing: &'static str) -> Self {
        let (mut addresses, mut good, mut bad) = (Vec::new(), Vec::new(), Vec::new());
        for host in hosts {
            match reached(objects, host, domain) {
                Ok(spec) => {
                    good.push(format!("{host}:{HBONE_PORT}"));
                    addresses.push(address(HOSTNAME, host));
                    addresses.extend(virtual_addresses(spec).map(|ip| address("IPAddress", ip)));
                }
                Err(cause) => bad.push(cause),
            }
        }
        let (good, bad_list) = (good.join(", "), bad.join("; "));
        let message = match (good.is_empty(), bad.is_empty()) {
            (false, true) => format!("Resource programmed, assigned to service(s) {good}"),
            (false, false) => format!(
                "Assigned to service(s) {good}, but failed to assign to all requested addresses: \
                 {bad_list}"
            ),
            (true, _) => format!("Failed to assign to any requested addresses: {bad_list}"),
        };
        let complete = bad.is_empty() && !good.is_empty();
        Self {
            addresses: (!addresses.is_empty()).then_some(addresses),
            missing: (!complete).then_some(missing),
            message,
        }
    }
}

/// What of `spec.addresses` is not supported.
pub(super) fn unsupported(gateway: &Gateway, runs: Runs) -> Option<String> {
    let asked = gateway.spec.addresses.iter().flatten();
    let others = asked.filter(|one| one.r#type.as_deref() != Some(HOSTNAME));
    let others: Vec<_> = others.map(|one| one.value.clone().unwrap_or_default()).collect();
    let any = runs == Runs::Elsewhere && !others.is_empty();
    any.then(|| format!("only Hostname is supported, ignoring {}", others.join(", ")))
}

/// The Service of a host, if connections to it find a waypoint.
fn reached<'o>(objects: &'o Objects, host: &str, domain: &str) -> Result<&'o ServiceSpec, String> {
    let not_found = || format!("hostname {host:?} not found");
    let name = service(host, domain).ok_or_else(not_found)?;
    let found = objects.services.get(&name).and_then(|service| service.spec.as_ref());
    let spec = found.ok_or_else(not_found)?;
    if !spec.ports.iter().flatten().any(|port| port.port == HBONE_PORT) {
        return Err(format!("port {HBONE_PORT} not found for hostname {host:?}"));
    }
    if virtual_addresses(spec).next().is_none() && spec.cluster_ip.as_deref() != Some(HEADLESS) {
        return Err(format!("address pending for hostname {host:?}"));
    }
    if !has_ready_endpoint(objects, &name) {
        return Err(format!("no instances found for hostname {host:?}"));
    }
    Ok(spec)
}

/// The Service's virtual addresses.
fn virtual_addresses(spec: &ServiceSpec) -> impl Iterator<Item = &String> {
    let several = spec.cluster_ips.iter().flatten();
    let one = spec.cluster_ip.iter().filter(|_| spec.cluster_ips.is_none());
    several.chain(one).filter(|ip| !ip.is_empty() && *ip != HEADLESS)
}

fn has_ready_endpoint(objects: &Objects, service: &ObjectName) -> bool {
    let first = ObjectName::new(&service.namespace, "");
    let slices = objects.endpoint_slices.range(first..);
    let mut slices = slices.take_while(|(name, _)| name.namespace == service.namespace);
    slices.any(|(_, slice)| {
        let labels = slice.metadata.labels.as_ref();
        let of = labels.and_then(|labels| labels.get(SERVICE_NAME));
        of == Some(&service.name)
            && slice.endpoints.iter().flatten().any(|endpoint| {
                let ready = endpoint.conditions.as_ref().and_then(|conditions| conditions.ready);
                ready != Some(false) && !endpoint.addresses.is_empty()
            })
    })
}

/// The host name of a Service.
fn host(service: &ObjectName, domain: &str) -> String {
    format!("{}.{}.svc.{domain}", service.name, service.namespace)
}

/// The Service of a host name.
fn service(host: &str, domain: &str) -> Option<ObjectName> {
    let short = host.strip_suffix(domain)?.strip_suffix(".svc.")?;
    let (name, namespace) = short.split_once('.')?;
    Some(ObjectName::new(namespace, name))
}

const HOSTNAME: &str = "Hostname";
const HBONE_PORT: i32 = 15008;
/// The address of Services that have none.
const HEADLESS: &str = "None";
