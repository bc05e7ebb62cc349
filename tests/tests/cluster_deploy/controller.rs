//! The controller as a process, with its own account's credentials: whatever it does is allowed.

use std::{ffi::OsString, path::Path};

use anyhow::{Context, Result, ensure};
use waypoint_tests::{
    kube::ControlPlane,
    lab::{
        command::product,
        process::Process,
        wait::{self, SOON},
    },
};

use super::{CONTROLLER, NAMESPACE, installed};

/// Starts a controller with these credentials.
fn start(kubeconfig: &Path, folder: &Path) -> Result<Process> {
    let mut arguments: Vec<OsString> = [
        "controller",
        "--namespace",
        NAMESPACE,
        "--identity",
        "test",
        "--ca-listen",
        "127.0.0.1:0",
        "--root-namespace",
        NAMESPACE,
        "--kubeconfig",
    ]
    .map(OsString::from)
    .into();
    arguments.push(kubeconfig.into());
    arguments.push(format!("--admin=unix:{}", folder.join("controller.sock").display()).into());
    Process::start_here("controller", folder, &product("waypointd")?, &arguments)
}

/// Whether the cluster has an object.
fn is_there(plane: &ControlPlane, namespace: &str, object: &str) -> Result<bool> {
    let get = ["get", object, "--namespace", namespace, "--ignore-not-found", "--output=name"];
    Ok(!plane.kubectl(&get)?.is_empty())
}

#[test]
fn the_controller_does_its_work_with_its_own_credentials() -> Result<()> {
    let plane = installed()?;
    let shop = plane.namespace("credentials")?;
    let mut controller = start(&plane.kubeconfig_of(NAMESPACE, CONTROLLER)?, plane.directory())?;
    plane.apply(&format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n\
         metadata: {{name: waypoint, namespace: {shop}}}\nspec:\n\
         \x20 gatewayClassName: istio-waypoint\n\
         \x20 listeners: [{{name: mesh, port: 15008, protocol: HBONE}}]\n"
    ))?;
    let binding = format!("clusterrolebinding/waypoint-proxy:{shop}:waypoint");
    let made = [
        (NAMESPACE, "lease/waypoint-controller"),
        (NAMESPACE, "lease/waypoint-leader"),
        (NAMESPACE, "secret/waypoint-ca"),
        (&*shop, "configmap/waypoint-ca-root-cert"),
        ("", "gatewayclass/istio-waypoint"),
        (&*shop, "serviceaccount/waypoint"),
        (&*shop, "deployment/waypoint"),
        (&*shop, "service/waypoint"),
        ("", &*binding),
    ];
    for (namespace, object) in made {
        let found = wait::until_true(object, SOON * 3, || {
            controller.is_alive()?;
            is_there(plane, namespace, object)
        });
        found.with_context(|| controller.output().unwrap_or_default())?;
    }
    let path = "jsonpath={.status.conditions[?(@.type=='Accepted')].status}";
    let get = ["get", "gateway", "waypoint", "--namespace", &shop, "--output", path];
    let accepted =
        wait::until_true("an accepted Gateway", SOON, || Ok(plane.kubectl(&get)? == "True"));
    accepted.with_context(|| controller.output().unwrap_or_default())?;

    plane.kubectl(&["delete", "gateway", "waypoint", "--namespace", &shop])?;
    wait::until_true("no binding of a Gateway that is gone", SOON * 2, || {
        Ok(!is_there(plane, "", &binding)?)
    })?;
    let said = controller.output()?;
    ensure!(!said.to_lowercase().contains("forbidden"), "{said}");
    Ok(())
}
