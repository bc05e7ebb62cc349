//! Kinds that are not installed, or not any more.

use anyhow::{Result, ensure};
use waypoint_tests::kube::ControlPlane;
use waypoint_user::mesh::object::ObjectName;

use crate::reader::{Reader, has_service, policy, service};

const POLICIES: &str = "authorizationpolicies.security.istio.io";
const ROUTES: &str = "httproutes.gateway.networking.k8s.io";

#[test]
fn a_kind_that_is_not_installed_is_picked_up_when_it_is() -> Result<()> {
    let plane = ControlPlane::start()?;
    let shop = plane.namespace("kinds")?;
    plane.apply(&service(&shop, "reviews", 80))?;
    let installed = plane.kubectl(&["get", "crd", POLICIES, ROUTES, "-o", "json"])?;
    let installed = without_status(&installed)?;
    plane.kubectl(&["delete", "crd", POLICIES, ROUTES])?;
    let reader = Reader::start(plane.kubeconfig())?;
    ensure!(has_service(&shop, "reviews")(&reader.snapshot()), "the rest is not there");
    reader.wait_for_note("AuthorizationPolicy.security.istio.io is not installed", true)?;
    let name = ObjectName::new(&shop, "deny");
    for _ in 0..2 {
        plane.apply(&installed)?;
        plane.kubectl(&["wait", "--for=condition=Established", "crd", POLICIES, ROUTES])?;
        reader.wait_for_note("is not installed", false)?;
        plane.apply(&policy(&shop, "reviews", "10.0.0.0/8"))?;
        reader.wait("policy", |snapshot| snapshot.policies().contains_key(&name))?;
        plane.kubectl(&["delete", "crd", POLICIES, ROUTES])?;
        reader.wait("no policy", |snapshot| !snapshot.policies().contains_key(&name))?;
        reader.wait_for_note("AuthorizationPolicy.security.istio.io is not installed", true)?;
        reader.wait_for_note("HTTPRoute.gateway.networking.k8s.io is not installed", true)?;
    }
    ensure!(has_service(&shop, "reviews")(&reader.snapshot()), "the rest is gone");
    Ok(())
}

/// CustomResourceDefinitions that can be applied again.
fn without_status(list: &str) -> Result<String> {
    let mut list: serde_json::Value = serde_json::from_str(list)?;
    for item in list["items"].as_array_mut().into_iter().flatten() {
        if let Some(item) = item.as_object_mut() {
            item.remove("status");
        }
        if let Some(metadata) = item["metadata"].as_object_mut() {
            for own in ["resourceVersion", "uid", "managedFields", "creationTimestamp"] {
                metadata.remove(own);
            }
        }
    }
    Ok(list.to_string())
}
