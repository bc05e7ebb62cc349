//! A Lease of the API server, read and written.
//!
//! It decides nothing.
//!
//! **Invariant:** a Lease is only replaced as it was read: two who take it at once do not both get
//! it.

use std::future::Future;

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
    jiff::Timestamp,
};
use kube::{Api, Client, api::PostParams};

use crate::mesh::object::ObjectName;

use super::{super::writer::FIELD_MANAGER, LEASE_DURATION};

/// Where a Lease is kept.
pub trait Leases {
    /// The Lease as it is now.
    fn read(&self) -> impl Future<Output = Result<Option<Record>, Error>> + Send;
    /// Writes it, unless it changed since it was read; says whether that was so.
    fn write(&self, record: Record) -> impl Future<Output = Result<bool, Error>> + Send;
}

/// What a Lease says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Record {
    /// Who has it; empty for nobody.
    pub holder: String,
    /// How long it holds after it was renewed, as its holder says.
    pub duration_seconds: u32,
    /// When it was taken.
    pub taken: Option<Timestamp>,
    /// When it was renewed last, by its holder's clock.
    pub renewed: Option<Timestamp>,
    /// How often it went to somebody else.
    pub transitions: i32,
    /// The version of the object; nothing for one that is not there yet.
    pub version: Option<String>,
}

impl Record {
    /// Taken by us, from whoever had it.
    pub(super) fn taken(there: Option<Self>, identity: &str) -> Self {
        let now = Some(Timestamp::now());
        let before = there.map(|there| (there.transitions, there.version));
        let (transitions, version) = match before {
            Some((transitions, version)) => (transitions.saturating_add(1), version),
            None => (0, None),
        };
        Self {
            holder: identity.to_owned(),
            duration_seconds: u32::try_from(LEASE_DURATION.as_secs()).unwrap_or(u32::MAX),
            taken: now,
            renewed: now,
            transitions,
            version,
        }
    }

    /// Renewed.
    pub(super) fn renewed(self) -> Self {
        Self { renewed: Some(Timestamp::now()), ..self }
    }

    /// Nobody's.
    pub(super) fn released(self) -> Self {
        Self { holder: String::new(), duration_seconds: 1, ..self.renewed() }
    }
}

/// A Lease in a cluster.
#[derive(Clone)]
pub struct ClusterLease {
    api: Api<Lease>,
    name: ObjectName,
}

impl ClusterLease {
    /// The Lease of this name, which is made when it is not there.
    pub fn new(client: Client, name: ObjectName) -> Self {
        Self { api: Api::namespaced(client, &name.namespace), name }
    }
}

impl Leases for ClusterLease {
    async fn read(&self) -> Result<Option<Record>, Error> {
        let lease = self.api.get_opt(&self.name.name).await?;
        Ok(lease.map(|Lease { metadata, spec }| {
            let spec = spec.unwrap_or_default();
            let duration = spec.lease_duration_seconds.unwrap_or_default();
            Record {
                holder: spec.holder_identity.unwrap_or_default(),
                duration_seconds: u32::try_from(duration).unwrap_or_default(),
                taken: spec.acquire_time.map(|time| time.0),
                renewed: spec.renew_time.map(|time| time.0),
                transitions: spec.lease_transitions.unwrap_or_default(),
                version: metadata.resource_version,
            }
        }))
    }

    async fn write(&self, record: Record) -> Result<bool, Error> {
        let params =
            PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let lease = Lease {
            metadata: ObjectMeta {
                name: Some(self.name.name.clone()),
                namespace: Some(self.name.namespace.clone()),
                resource_version: record.version.clone(),
                ..ObjectMeta::default()
            },
            spec: Some(LeaseSpec {
                holder_identity: Some(record.holder),
                lease_duration_seconds: i32::try_from(record.duration_seconds).ok(),
                acquire_time: record.taken.map(MicroTime),
                renew_time: record.renewed.map(MicroTime),
                lease_transitions: Some(record.transitions),
                ..LeaseSpec::default()
            }),
        };
        let written = match record.version {
            Some(_) => self.api.replace(&self.name.name, &params, &lease).await,
            None => self.api.create(&params, &lease).await,
        };
        match written {
            Ok(_) => Ok(true),
            // Somebody else was faster.
            Err(kube::Error::Api(status)) if status.is_conflict() => Ok(false),
            Err(cause) => Err(cause.into()),
        }
    }
}

/// Why the Lease is not known.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server says no, or nothing.
    #[error("{0}; look at the API server, and at the controller's rights on leases")]
    Cluster(#[from] kube::Error),
    /// The API server does not answer.
    #[error("the API server does not answer")]
    Silent,
}
