//! Names whose connections the mesh does not see, and why: another name, a host without an address,
//! a host that stands for many and does not apply.
//!
//! It looks nothing up in DNS: what such a name leads to, only its client learns.

use std::{iter, sync::Arc};

use crate::mesh::{
    external::{NO_WAYPOINT, inert, wildcards_of},
    object::{ObjectName, ObjectRef},
    report::Report,
    service::Service,
    snapshot::Snapshot,
};

use super::{Step, address::TOPIC, of_service};

/// A name, and why connections to it are left alone.
pub(super) enum Outside<'s> {
    /// Another name for something outside, as a Service of this name says.
    AnotherName(ObjectRef),
    /// A host that stands for many, and has no waypoint.
    Inert { entry: ObjectRef, host: String },
    /// A host by whose name no client learns an address of the mesh.
    WithoutAddress(&'s Arc<Service>),
}

/// The host of a ServiceEntry that stands for this one, if one does.
pub(super) fn by_wildcard<'s>(
    snapshot: &'s Snapshot,
    report: &Report,
    host: &str,
) -> Option<Outside<'s>> {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    iter::once(host.clone()).chain(wildcards_of(&host)).find_map(|host| {
        if let Some(service) = snapshot.services_of_host(&host).first() {
            return Some(Outside::WithoutAddress(service));
        }
        let words = inert(&host);
        let mut findings = report.iter();
        let found =
            findings.find(|(_, finding)| finding.reason == NO_WAYPOINT && finding.message == words);
        found.map(|(entry, _)| Outside::Inert { entry: entry.clone(), host: host.clone() })
    })
}

/// The Service of a name, if it is only another name.
pub(super) fn by_another_name<'s>(report: &Report, name: ObjectName) -> Option<Outside<'s>> {
    let object = ObjectRef::new("Service", name);
    let is_one = report.of(&object).any(|finding| finding.reason == EXTERNAL_NAME);
    is_one.then_some(Outside::AnotherName(object))
}

impl<'s> Outside<'s> {
    /// A host of a ServiceEntry that has no address.
    pub(super) const fn without_address(service: &'s Arc<Service>) -> Self {
        Self::WithoutAddress(service)
    }

    /// What stands in the Snapshot for it.
    pub(super) const fn service(&self) -> Option<&'s Arc<Service>> {
        match self {
            Self::WithoutAddress(service) => Some(service),
            Self::AnotherName(_) | Self::Inert { .. } => None,
        }
    }

    /// Says what is dialled.
    pub(super) fn step(&self) -> Step {
        match self {
            Self::AnotherName(object) => {
                let says =
                    format!("{object} is only another name, for something outside of the mesh");
                Step::new(TOPIC, says).by(object, "spec.type: ExternalName")
            }
            Self::Inert { entry, host } => {
                let says = format!("it is of host {host} of {entry}, which does not apply");
                Step::new(TOPIC, says).by(entry, format!("spec.hosts: {host}")).amiss_if(true)
            }
            Self::WithoutAddress(service) => {
                let object = of_service(service);
                let host = service.name.name.trim_end_matches('.');
                let says = format!("it is of host {host} of {object}, which has no address");
                Step::new(TOPIC, says).by(object, "spec.addresses").amiss_if(true)
            }
        }
    }

    /// Why no waypoint takes it.
    pub(super) fn why(&self) -> String {
        match self {
            Self::AnotherName(_) => "the name is only another name".to_owned(),
            Self::Inert { entry, .. } => format!("{entry} has no waypoint, and so does not apply"),
            Self::WithoutAddress(service) => {
                let entry = of_service(service);
                format!("{entry} has no address to capture, and DNS capture is not supported")
            }
        }
    }
}

/// The reason that translation gives for leaving a Service out.
const EXTERNAL_NAME: &str = "ExternalName";
