//! What may import what: modules of `waypoint-user` among each other, and foreign crates.
//!
//! The two tables at the end are the architecture; ARCHITECTURE.md prints them for people.

use std::path::Path;

use anyhow::{Context, Result};

use super::complaint::Complaint;
use super::paths::NamedPath;
use super::source::Source;

/// The foreign crates that the workspace declares, as they are written in paths.
pub(crate) fn declared_crates(root: &Path) -> Result<Vec<String>> {
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).context("Cargo.toml")?;
    let section = manifest.split("[workspace.dependencies]").nth(1).unwrap_or_default();
    let section = section.split("\n[").next().unwrap_or_default();
    let declared = section.lines().filter_map(|line| line.split_once(" = {"));
    let foreign = declared.filter(|(_, rest)| !rest.contains("path ="));
    Ok(foreign.map(|(name, _)| name.trim().replace('-', "_")).collect())
}

/// Complaints about paths that lead where this file's module must not reach.
pub(crate) fn check(source: &Source, paths: &[NamedPath], crates: &[String]) -> Vec<Complaint> {
    let module = source.module();
    let (Some(here), "waypoint-user") = (module.first(), source.crate_folder()) else {
        return Vec::new();
    };
    let Some((_, allowed)) = MODULES.iter().find(|(name, _)| name == here) else {
        let what = format!("`{here}` is not in the module tree; add its row to tidy's MODULES");
        return vec![Complaint::new(&source.path, 1, what)];
    };
    let complain = |path: &NamedPath, what| Complaint::new(&source.path, path.line, what);
    let mut complaints = Vec::new();
    for path in paths {
        if let Some(target) = module_of(path, &module)
            && target != *here
            && !allowed.contains(&target)
        {
            complaints.push(complain(path, reach(here, target, allowed)));
        }
        if let Some(foreign) = path.segments.first().filter(|head| is_foreign(head, crates))
            && !source.is_test()
            && let Some(what) = trespass(foreign, here)
        {
            complaints.push(complain(path, what));
        }
    }
    complaints
}

/// The module of `waypoint-user` that a path of a file in `here` leads to.
fn module_of<'p>(path: &'p NamedPath, here: &[&str]) -> Option<&'p str> {
    let ups = path.segments.iter().take_while(|segment| *segment == "super").count();
    let target = match path.segments.first()?.as_str() {
        "crate" | "waypoint_user" => path.segments.get(1)?,
        "super" if ups == here.len() => path.segments.get(ups)?,
        _ => return None,
    };
    MODULES.iter().any(|(name, _)| name == target).then_some(target)
}

fn reach(here: &str, target: &str, allowed: &[&str]) -> String {
    let list = if allowed.is_empty() { "no other module".to_owned() } else { allowed.join(", ") };
    format!(
        "`{here}` imports `{target}`, but may import {list}; pass the value in from a role, or \
         move what both need down a level"
    )
}

/// True for a crate that the workspace declares, and for the kernel's ABI.
fn is_foreign(name: &str, crates: &[String]) -> bool {
    name == "waypoint_common" || crates.iter().any(|declared| declared == name)
}

/// What is wrong with a module naming a foreign crate, if anything is.
fn trespass(foreign: &str, here: &str) -> Option<String> {
    let Some((_, owners)) = OWNERS.iter().find(|(name, _)| *name == foreign) else {
        return Some(format!("crate `{foreign}` has no owner; add its row to tidy's OWNERS"));
    };
    (!owners.contains(&here)).then(|| {
        let list = owners.join(", ");
        format!("`{here}` names crate `{foreign}`, which belongs to {list}; ask its owner instead")
    })
}

/// A module of `waypoint-user`, and the modules it may import.
pub(crate) const MODULES: &[(&str, &[&str])] = &[
    ("mesh", &[]),
    ("select", &["mesh"]),
    ("route", &["mesh"]),
    ("policy", &["mesh"]),
    ("balance", &["mesh"]),
    ("explain", &["mesh", "select", "route", "policy"]),
    ("telemetry", &["mesh"]),
    ("sync", &["mesh", "select", "telemetry"]),
    ("kernel", &["mesh", "select", "telemetry"]),
    ("identity", &["mesh", "telemetry"]),
    ("http1", &[]),
    ("http2", &[]),
    ("hbone", &["mesh", "identity", "http2", "telemetry"]),
    (
        "proxy",
        &[
            "mesh",
            "select",
            "route",
            "policy",
            "balance",
            "identity",
            "hbone",
            "http1",
            "http2",
            "telemetry",
        ],
    ),
    ("control", &["mesh", "select", "sync", "telemetry", "identity"]),
    ("cli", &["mesh", "select", "route", "policy", "explain", "sync", "control"]),
    ("roles", ALL),
    ("bin", ALL),
];

const ALL: &[&str] = &[
    "mesh",
    "select",
    "route",
    "policy",
    "balance",
    "explain",
    "telemetry",
    "sync",
    "identity",
    "hbone",
    "http1",
    "http2",
    "kernel",
    "proxy",
    "control",
    "cli",
    "roles",
];

/// Modules that run tasks, or are driven by some, and log.
const CONTROL_AND_DATA: &[&str] = &[
    "sync",
    "identity",
    "hbone",
    "http2",
    "kernel",
    "control",
    "telemetry",
    "proxy",
    "cli",
    "roles",
    "bin",
];

/// A foreign crate, and the modules of `waypoint-user` that may name it.
pub(crate) const OWNERS: &[(&str, &[&str])] = &[
    ("anyhow", &["bin"]),
    ("aya", &["kernel"]),
    ("base64", &["proxy"]),
    ("bytes", &["hbone", "http1", "http2", "proxy", "telemetry"]),
    ("clap", &["bin", "cli"]),
    ("clap_complete", &["bin", "cli"]),
    ("clap_mangen", &["cli"]),
    ("fastrand", &["sync", "identity", "hbone", "proxy"]),
    (
        "futures_util",
        &["sync", "identity", "hbone", "kernel", "control", "proxy", "telemetry", "cli", "roles"],
    ),
    ("gateway_api", &["sync", "control", "cli"]),
    ("hickory_resolver", &["proxy"]),
    ("http", &["identity", "hbone", "http1", "http2", "sync", "control", "proxy", "telemetry"]),
    ("http_body_util", &["control", "proxy", "telemetry"]),
    ("httparse", &["http1"]),
    ("hyper", &["identity", "control", "proxy", "telemetry"]),
    ("hyper_util", &["identity", "control", "proxy", "telemetry"]),
    ("indicatif", &["cli"]),
    ("inotify", &["sync"]),
    ("ipnet", &["mesh", "policy", "sync"]),
    ("jsonwebtoken", &["identity"]),
    ("k8s_openapi", &["sync", "control", "cli"]),
    ("kube", &["sync", "control", "cli"]),
    ("mimalloc", &["bin"]),
    ("netlink_packet_core", &["kernel"]),
    ("netlink_packet_route", &["kernel"]),
    ("netlink_packet_sock_diag", &["kernel"]),
    ("netlink_sys", &["kernel"]),
    ("nix", &["bin", "kernel", "proxy"]),
    ("opentelemetry_proto", &["telemetry"]),
    ("prost", &["identity", "proxy", "telemetry"]),
    ("prost_types", &["identity"]),
    ("prometheus", &["telemetry"]),
    ("rcgen", &["identity"]),
    ("regex", &["mesh", "sync"]),
    ("rustls", &["identity", "hbone", "proxy", "telemetry"]),
    ("rustls_native_certs", &["telemetry"]),
    ("rustix", &["kernel"]),
    ("schemars", &["sync"]),
    ("serde", &["explain", "sync", "identity", "kernel", "control", "telemetry", "cli"]),
    ("serde_json", &["sync", "identity", "kernel", "control", "telemetry", "cli", "roles"]),
    ("serde_saphyr", &["sync", "control", "cli"]),
    ("sha1", &["proxy"]),
    ("socket2", &["hbone", "kernel", "proxy", "roles"]),
    (
        "thiserror",
        &[
            "mesh",
            "explain",
            "sync",
            "identity",
            "hbone",
            "http1",
            "http2",
            "kernel",
            "telemetry",
            "proxy",
            "control",
            "cli",
            "roles",
        ],
    ),
    ("tokio", CONTROL_AND_DATA),
    ("tokio_rustls", &["identity", "hbone", "telemetry"]),
    ("tokio_util", CONTROL_AND_DATA),
    ("tonic", &["identity", "telemetry"]),
    ("tonic_prost", &["identity"]),
    ("tower", &["sync", "telemetry"]),
    ("tracing", CONTROL_AND_DATA),
    ("tracing_subscriber", &["telemetry"]),
    ("webpki", &["identity"]),
    ("waypoint_common", &["kernel", "roles", "bin"]),
    ("x509_parser", &["identity"]),
];

#[cfg(test)]
mod tests;
