//! What whoever follows a cluster may read of it.

use std::{path::PathBuf, time::Duration};

use anyhow::{Result, ensure};
use waypoint_tests::kube::ControlPlane;
use waypoint_user::{mesh::object::ObjectName, sync::cluster::Scope};

use crate::reader::{Reader, has_service, policy, service, settings};

/// Everything that is read, by group.
const CORE: &str = "namespaces, nodes, pods, services";
const GATEWAY: &str =
    "gatewayclasses, gateways, httproutes, grpcroutes, tlsroutes, tcproutes, referencegrants";
const OTHERS: &str = "peerauthentications";

#[test]
fn a_kind_that_must_not_be_read_is_told_of_and_the_others_go_on() -> Result<()> {
    let plane = ControlPlane::shared()?;
    let shop = plane.namespace("rights")?;
    plane.apply(&service(&shop, "reviews", 80))?;
    let without = GATEWAY.replace("httproutes, ", "");
    let own =
        account(plane, &shop, &[("", CORE), (GATEWAY_GROUP, &without), (SECURITY_GROUP, "*")])?;
    let reader = Reader::of(settings(&own, Scope::Whole))?;
    reader.wait_for_note("httproutes.gateway.networking.k8s.io is forbidden", true)?;
    plane.apply(&service(&shop, "ratings", 80))?;
    reader.wait("the others", has_service(&shop, "ratings"))?;
    let all = [("", CORE), (GATEWAY_GROUP, GATEWAY), (SECURITY_GROUP, "*")];
    plane.apply(&role(&shop, &all))?;
    reader.wait_for_note("httproutes.gateway.networking.k8s.io is forbidden", false)
}

#[test]
fn nothing_is_enforced_before_policies_may_be_read() -> Result<()> {
    let plane = ControlPlane::shared()?;
    let shop = plane.namespace("vital")?;
    plane.apply(&(service(&shop, "reviews", 80) + &policy(&shop, "reviews", "10.0.0.0/8")))?;
    let part = [("", CORE), (GATEWAY_GROUP, GATEWAY), (SECURITY_GROUP, OTHERS)];
    let own = account(plane, &shop, &part)?;
    let settings = || settings(&own, Scope::Whole);
    let early = Reader::within(settings(), Duration::from_secs(3))?;
    ensure!(early.is_none(), "a Snapshot without policies was published");
    let all = [("", CORE), (GATEWAY_GROUP, GATEWAY), (SECURITY_GROUP, "*")];
    plane.apply(&role(&shop, &all))?;
    let snapshot = Reader::of(settings())?.snapshot();
    ensure!(snapshot.policies().contains_key(&ObjectName::new(&shop, "deny")));
    Ok(())
}

#[test]
fn rights_that_are_taken_away_leave_what_was_read_in_force() -> Result<()> {
    let plane = ControlPlane::start()?;
    let shop = plane.namespace("revoked")?;
    plane.apply(&(service(&shop, "reviews", 80) + &policy(&shop, "reviews", "10.0.0.0/8")))?;
    let all = [("", CORE), (GATEWAY_GROUP, GATEWAY), (SECURITY_GROUP, "*")];
    let own = account(&plane, &shop, &all)?;
    let reader = Reader::of(settings(&own, Scope::Whole))?;
    let part = [("", CORE), (GATEWAY_GROUP, GATEWAY), (SECURITY_GROUP, OTHERS)];
    plane.apply(&role(&shop, &part))?;
    plane.cut_connections();
    reader.wait_for_note("authorizationpolicies.security.istio.io is forbidden", true)?;
    let name = ObjectName::new(&shop, "deny");
    ensure!(reader.snapshot().policies().contains_key(&name), "the policy is forgotten");
    plane.kubectl(&["delete", "authorizationpolicy", "deny", "-n", &shop])?;
    plane.apply(&role(&shop, &all))?;
    reader.wait("deleted", |snapshot| !snapshot.policies().contains_key(&name))?;
    reader.wait_for_note("authorizationpolicies.security.istio.io is forbidden", false)
}

/// Credentials of a ServiceAccount that may read these kinds only.
fn account(plane: &ControlPlane, namespace: &str, rules: &[(&str, &str)]) -> Result<PathBuf> {
    let binding = format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\n\
         metadata: {{name: {namespace}}}\n\
         roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {namespace}}}\n\
         subjects: [{{kind: ServiceAccount, name: default, namespace: {namespace}}}]\n"
    );
    plane.apply(&(role(namespace, rules) + &binding))?;
    plane.kubeconfig_of(namespace, "default")
}

fn role(name: &str, rules: &[(&str, &str)]) -> String {
    let rule = |(group, resources): &(&str, &str)| {
        let slices = if group.is_empty() { SLICES } else { "" };
        let resources = resources.replace('*', "'*'");
        format!(
            "- {{apiGroups: ['{group}'], resources: [{resources}], verbs: [get, list, watch]}}\n\
             {slices}"
        )
    };
    let rules: String = rules.iter().map(rule).collect();
    format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\n\
         metadata: {{name: {name}}}\nrules:\n{rules}---\n"
    )
}

const GATEWAY_GROUP: &str = "gateway.networking.k8s.io";
const SECURITY_GROUP: &str = "security.istio.io";
const SLICES: &str = "\
- {apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: [get, list, watch]}
- {apiGroups: [networking.istio.io], resources: ['*'], verbs: [get, list, watch]}
";
