//! `waypointctl apply`: brings a waypoint into the cluster, and if asked for a namespace behind it.
//!
//! Where a namespace has a waypoint already, nothing at all is done without `--overwrite`, and the
//! exit code says so (Istio's is 0).

use std::time::Duration;

use clap::Args;
use k8s_openapi::api::core::v1::Namespace;

use crate::{
    cli::{Connection, Console, Error, Outcome, duration, request::Denial},
    mesh::{
        label::{DATAPLANE_MODE, Labels, USE_WAYPOINT, USE_WAYPOINT_NAMESPACE},
        object::ObjectName,
    },
};

use super::{
    Naming,
    cluster::Cluster,
    generate::Kind,
    manifest::{Wish, gateway},
    progress::Progress,
    wait::wait,
};

/// What to apply, and what then.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    #[command(flatten)]
    pub(super) naming: Naming,
    #[command(flatten)]
    pub(super) kind: Kind,
    /// Label the namespace, so that its Services use the waypoint
    #[arg(long)]
    pub(super) enroll_namespace: bool,
    /// Do so also where the namespace uses another waypoint
    #[arg(long)]
    pub(super) overwrite: bool,
    /// Wait until the waypoint is ready
    #[arg(short, long)]
    pub(super) wait: bool,
    /// How long to wait
    #[arg(
        long = "waypoint-timeout",
        value_name = "DURATION",
        default_value = "90s",
        value_parser = duration::parse
    )]
    pub(super) timeout: Duration,
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// Applies it in a namespace.
pub(super) async fn run(
    arguments: &Arguments,
    cluster: &impl Cluster,
    namespace: &str,
    console: &mut Console<'_>,
) -> Result<Outcome, Error> {
    let now = read(cluster, namespace).await?;
    if arguments.enroll_namespace && is_enrolled(&now) && !arguments.overwrite {
        console.err.warning(format!(
            "namespace ({namespace}) already has an enrolled Waypoint. Consider adding the \
             `--overwrite` flag to your apply command."
        ))?;
        return Ok(Outcome::Amiss);
    }
    if label(&now, DATAPLANE_MODE) != Some("ambient") {
        console.err.warning(format!(
            "namespace is not enrolled in ambient. Consider running\t\
             `kubectl label namespace {namespace} {DATAPLANE_MODE}=ambient`"
        ))?;
    }
    let waypoint = ObjectName::new(namespace, arguments.naming.or_default());
    let manifest = gateway(&Wish {
        name: &waypoint.name,
        namespace: Some(namespace),
        traffic: &arguments.kind.traffic,
        revision: &arguments.kind.revision,
    })?;
    cluster.apply(&waypoint, &manifest).await.map_err(|denial| match denial {
        missing @ Denial::KindMissing(_) => Error::GatewayKindMissing(missing),
        other => other.into(),
    })?;
    console.out.done(format_args!("waypoint {waypoint} applied"))?;
    if arguments.wait {
        let mut progress = Progress::new(console.err.look());
        wait(cluster, &waypoint, arguments.timeout, &mut progress, console).await?;
        console.out.done(format_args!("waypoint {waypoint} is ready!"))?;
    }
    if arguments.enroll_namespace {
        enrol(cluster, &waypoint).await?;
        let line =
            format!("namespace {namespace} labeled with \"{USE_WAYPOINT}: {}\"", waypoint.name);
        console.out.done(line)?;
    } else if arguments.wait {
        console.out.line(next(&now, &waypoint))?;
    }
    Ok(Outcome::Good)
}

/// What a person does next.
fn next(namespace: &Namespace, waypoint: &ObjectName) -> String {
    let ObjectName { namespace: home, name } = waypoint;
    let of = label(namespace, USE_WAYPOINT_NAMESPACE).is_none_or(|of| of == home);
    if of && label(namespace, USE_WAYPOINT) == Some(name) {
        return format!("namespace {home} uses it already");
    }
    format!(
        "nothing uses it yet; for the Services of namespace {home} run: \
         kubectl label namespace {home} {USE_WAYPOINT}={name}"
    )
}

/// Labels the waypoint's namespace with it.
///
/// A namespace is read again when somebody changed it meanwhile. The label that names another
/// namespace's waypoint goes, as it would give the name another meaning.
async fn enrol(cluster: &impl Cluster, waypoint: &ObjectName) -> Result<(), Error> {
    for _ in 0..ENROL_TRIES {
        let mut namespace = read(cluster, &waypoint.namespace).await?;
        let labels = namespace.metadata.labels.get_or_insert_default();
        labels.insert(USE_WAYPOINT.to_owned(), waypoint.name.clone());
        labels.remove(USE_WAYPOINT_NAMESPACE);
        match cluster.replace_namespace(&namespace).await {
            Err(Denial::Conflict { .. }) => {}
            outcome => return Ok(outcome?),
        }
    }
    Err(Error::NamespaceContended(waypoint.namespace.clone()))
}

async fn read(cluster: &impl Cluster, name: &str) -> Result<Namespace, Error> {
    let namespace = cluster.namespace(name).await?;
    namespace.ok_or_else(|| Error::NamespaceMissing(name.to_owned()))
}

/// Whether a namespace uses a waypoint.
fn is_enrolled(namespace: &Namespace) -> bool {
    label(namespace, USE_WAYPOINT).is_some_and(|name| !name.is_empty())
}

fn label<'n>(namespace: &'n Namespace, key: &str) -> Option<&'n str> {
    let labels: Option<&Labels> = namespace.metadata.labels.as_ref();
    labels?.get(key).map(String::as_str)
}

/// How often a namespace that others change is read and written again.
const ENROL_TRIES: u32 = 5;

#[cfg(test)]
mod tests;
