//! What each account may do, as the API server's own reviews say it, and by doing it.

use std::{path::PathBuf, sync::OnceLock};

use anyhow::{Result, anyhow, ensure};
use tokio_util::sync::CancellationToken;
use waypoint_tests::{
    kube::ControlPlane,
    lab::wait::{self, SOON},
};
use waypoint_user::{
    mesh::{object::ObjectName, snapshot},
    sync::{
        self, Served, Source,
        cluster::{Access, Place, Scope},
    },
};

use super::{AGENT, CONTROLLER, NAMESPACE, installed};

/// A waypoint's account, in a namespace of its own.
const WAYPOINT: (&str, &str) = ("shop", "waypoint");

/// A question: verb, resource with group and subresource (`group/resource/subresource`), namespace
/// and name, of which each may be empty.
type Question = (&'static str, &'static str, &'static str, &'static str);

/// Installs, and gives a waypoint's account the role that the controller would bind to it.
fn plane() -> Result<&'static ControlPlane> {
    static READY: OnceLock<Result<&ControlPlane>> = OnceLock::new();
    let prepare = || {
        let plane = installed()?;
        let (namespace, account) = WAYPOINT;
        plane.apply(&format!(
            "apiVersion: v1\nkind: Namespace\nmetadata: {{name: {namespace}}}\n---\n\
             apiVersion: v1\nkind: ServiceAccount\n\
             metadata: {{name: {account}, namespace: {namespace}}}\n---\n\
             apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\n\
             metadata: {{name: \"waypoint-proxy:{namespace}:{account}\"}}\n\
             roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, \
             name: waypoint-proxy}}\n\
             subjects: [{{kind: ServiceAccount, name: {account}, namespace: {namespace}}}]\n"
        ))?;
        // The API server reads roles and bindings in its own time.
        wait::until_true("rights in force", SOON, || {
            let may =
                |who| Ok::<_, anyhow::Error>(answers(plane, who, &[LAST_IN_FORCE])? == [true]);
            Ok(may(account_of(AGENT))? && may(account_of(CONTROLLER))? && may(WAYPOINT)?)
        })?;
        Ok(plane)
    };
    READY.get_or_init(prepare).as_ref().copied().map_err(|error| anyhow!("{error:#}"))
}

const LAST_IN_FORCE: Question = ("list", "security.istio.io/authorizationpolicies", "", "");

fn account_of(name: &'static str) -> (&'static str, &'static str) {
    (NAMESPACE, name)
}

/// What the API server says to an account's questions.
fn answers(
    plane: &ControlPlane,
    (namespace, account): (&str, &str),
    questions: &[Question],
) -> Result<Vec<bool>> {
    let review = |(verb, resource, within, name): &Question| {
        let mut parts = resource.split('/');
        let mut part = || parts.next().unwrap_or_default();
        let (group, resource, subresource) = (part(), part(), part());
        format!(
            "apiVersion: authorization.k8s.io/v1\nkind: SubjectAccessReview\n\
             spec:\n  user: system:serviceaccount:{namespace}:{account}\n\
             \x20 groups: [system:serviceaccounts, 'system:serviceaccounts:{namespace}', \
             system:authenticated]\n\
             \x20 resourceAttributes: {{verb: '{verb}', group: '{group}', resource: '{resource}', \
             subresource: '{subresource}', namespace: '{within}', name: '{name}'}}\n"
        )
    };
    let reviews: Vec<String> = questions.iter().map(review).collect();
    let path = "jsonpath={.status.allowed}{'\\n'}";
    let arguments = ["create", "--filename=-", "--output", path];
    let said = plane.kubectl_with(plane.kubeconfig(), &arguments, &reviews.join("---\n"))?;
    let answers: Vec<bool> = said.lines().map(|line| line == "true").collect();
    ensure!(answers.len() == questions.len(), "{} questions: {said}", questions.len());
    Ok(answers)
}

/// Fails with the questions whose answer is not the wanted one.
fn all_are(wanted: bool, who: (&str, &str), questions: &[Question]) -> Result<()> {
    let answers = answers(plane()?, who, questions)?;
    let wrong = questions.iter().zip(&answers).filter(|(_, answer)| **answer != wanted);
    let wrong: Vec<&Question> = wrong.map(|(question, _)| question).collect();
    let verb = if wanted { "may not, but must" } else { "may, but must not" };
    ensure!(wrong.is_empty(), "{who:?} {verb}: {wrong:#?}");
    Ok(())
}

/// The objects of a mesh.
const MESH: [&str; 18] = [
    "/namespaces",
    "/nodes",
    "/pods",
    "/services",
    "discovery.k8s.io/endpointslices",
    "gateway.networking.k8s.io/gatewayclasses",
    "gateway.networking.k8s.io/gateways",
    "gateway.networking.k8s.io/httproutes",
    "gateway.networking.k8s.io/grpcroutes",
    "gateway.networking.k8s.io/tlsroutes",
    "gateway.networking.k8s.io/tcproutes",
    "gateway.networking.k8s.io/referencegrants",
    "networking.istio.io/serviceentries",
    "networking.istio.io/workloadentries",
    "security.istio.io/authorizationpolicies",
    "security.istio.io/peerauthentications",
    "waypoint.dev/trafficpolicies",
    "apiextensions.k8s.io/customresourcedefinitions",
];

#[test]
fn every_role_reads_the_mesh() -> Result<()> {
    let questions =
        MESH.iter().flat_map(|resource| ["list", "watch"].map(|verb| (verb, *resource, "", "")));
    let questions: Vec<Question> = questions.collect();
    for who in [account_of(AGENT), account_of(CONTROLLER), WAYPOINT] {
        all_are(true, who, &questions)?;
    }
    Ok(())
}

/// What nobody may: to read Secrets, to run something in others' pods, to become somebody else, to
/// change what guards or who may what.
const NOBODY: &[Question] = &[
    ("get", "/secrets", "", ""),
    ("list", "/secrets", "", ""),
    ("get", "/secrets", "kube-system", "any"),
    ("list", "/secrets", NAMESPACE, ""),
    ("patch", "/pods", "", ""),
    ("create", "/pods", "", ""),
    ("delete", "/pods", "", ""),
    ("create", "/pods/exec", "", ""),
    ("create", "/pods/ephemeralcontainers", "", ""),
    ("get", "/pods/log", "", ""),
    ("create", "/serviceaccounts/token", "", ""),
    ("impersonate", "/serviceaccounts", "", ""),
    ("impersonate", "/users", "", ""),
    ("patch", "/nodes", "", ""),
    ("get", "/nodes/proxy", "", ""),
    ("patch", "/namespaces", "", ""),
    ("create", "rbac.authorization.k8s.io/clusterroles", "", ""),
    ("patch", "rbac.authorization.k8s.io/clusterroles", "", "waypoint-proxy"),
    ("bind", "rbac.authorization.k8s.io/clusterroles", "", "cluster-admin"),
    ("escalate", "rbac.authorization.k8s.io/clusterroles", "", "waypoint-proxy"),
    ("create", "rbac.authorization.k8s.io/rolebindings", "", ""),
    ("patch", "security.istio.io/authorizationpolicies", "", ""),
    ("delete", "security.istio.io/authorizationpolicies", "", ""),
    ("patch", "security.istio.io/peerauthentications", "", ""),
    ("patch", "waypoint.dev/trafficpolicies", "", ""),
    ("delete", "waypoint.dev/trafficpolicies", "", ""),
    ("patch", "gateway.networking.k8s.io/gateways", "", ""),
    ("delete", "gateway.networking.k8s.io/gateways", "", ""),
    ("patch", "gateway.networking.k8s.io/gatewayclasses", "", ""),
    ("patch", "admissionregistration.k8s.io/validatingadmissionpolicies", "", AGENT),
    ("delete", "admissionregistration.k8s.io/validatingadmissionpolicybindings", "", AGENT),
];

/// What only the controller may.
const CONTROLLER_ONLY: &[Question] = &[
    ("create", "authentication.k8s.io/tokenreviews", "", ""),
    ("create", "coordination.k8s.io/leases", NAMESPACE, ""),
    ("update", "coordination.k8s.io/leases", NAMESPACE, CONTROLLER),
    ("update", "coordination.k8s.io/leases", NAMESPACE, "waypoint-leader"),
    ("get", "/secrets", NAMESPACE, "waypoint-ca"),
    ("watch", "/secrets", NAMESPACE, "waypoint-ca"),
    ("create", "/secrets", NAMESPACE, ""),
    ("update", "/secrets", NAMESPACE, "waypoint-ca"),
    ("patch", "/configmaps", "shop", ""),
    ("list", "/configmaps", "", ""),
    ("patch", "/serviceaccounts", "shop", ""),
    ("patch", "/services", "shop", ""),
    ("patch", "apps/deployments", "shop", ""),
    ("delete", "apps/deployments", "shop", ""),
    ("patch", "autoscaling/horizontalpodautoscalers", "shop", ""),
    ("patch", "policy/poddisruptionbudgets", "shop", ""),
    ("create", "gateway.networking.k8s.io/gatewayclasses", "", ""),
    ("patch", "gateway.networking.k8s.io/gateways/status", "shop", ""),
    ("patch", "gateway.networking.k8s.io/httproutes/status", "shop", ""),
    ("patch", "gateway.networking.k8s.io/grpcroutes/status", "shop", ""),
    ("patch", "gateway.networking.k8s.io/tlsroutes/status", "shop", ""),
    ("patch", "gateway.networking.k8s.io/tcproutes/status", "shop", ""),
    ("patch", "/services/status", "shop", ""),
    ("patch", "networking.istio.io/serviceentries/status", "shop", ""),
    ("patch", "networking.istio.io/workloadentries/status", "shop", ""),
    ("patch", "security.istio.io/authorizationpolicies/status", "shop", ""),
    ("patch", "waypoint.dev/trafficpolicies/status", "shop", ""),
    ("create", "events.k8s.io/events", "shop", ""),
    ("create", "rbac.authorization.k8s.io/clusterrolebindings", "", ""),
    ("bind", "rbac.authorization.k8s.io/clusterroles", "", "waypoint-proxy"),
];

/// What the controller may not, although others of its rights are near.
const NEAR_THE_CONTROLLER: &[Question] = &[
    ("update", "coordination.k8s.io/leases", "kube-system", "kube-scheduler"),
    ("delete", "coordination.k8s.io/leases", NAMESPACE, CONTROLLER),
    ("delete", "events.k8s.io/events", "shop", ""),
    ("get", "/secrets", NAMESPACE, "another"),
    ("delete", "/secrets", NAMESPACE, "waypoint-ca"),
    ("create", "/secrets", "shop", ""),
    ("delete", "/configmaps", "shop", ""),
    ("patch", "/pods/status", "", ""),
    ("patch", "apps/daemonsets", "shop", ""),
];

#[test]
fn nobody_may_what_none_needs() -> Result<()> {
    for who in [account_of(AGENT), account_of(CONTROLLER), WAYPOINT] {
        all_are(false, who, NOBODY)?;
    }
    Ok(())
}

#[test]
fn the_controller_may_what_it_needs_and_nobody_else_may() -> Result<()> {
    all_are(true, account_of(CONTROLLER), CONTROLLER_ONLY)?;
    all_are(false, account_of(CONTROLLER), NEAR_THE_CONTROLLER)?;
    for who in [account_of(AGENT), WAYPOINT] {
        all_are(false, who, CONTROLLER_ONLY)?;
    }
    Ok(())
}

#[test]
fn agents_mark_pods_and_waypoints_write_nothing() -> Result<()> {
    let mark: [Question; 1] = [("patch", "/pods/status", "", "")];
    all_are(true, account_of(AGENT), &mark)?;
    all_are(false, WAYPOINT, &mark)?;
    let others = MESH.iter().flat_map(|resource| {
        ["create", "update", "patch", "delete"].map(|verb| (verb, *resource, "", ""))
    });
    let others: Vec<Question> = others.collect();
    all_are(false, account_of(AGENT), &others)?;
    all_are(false, WAYPOINT, &others)
}

/// The mesh as somebody reads it with these credentials.
pub(crate) fn source(kubeconfig: PathBuf, scope: Scope) -> sync::Settings {
    let access = Access { kubeconfig: Some(kubeconfig), ..Access::default() };
    let source = Source::Cluster(Place::new(access, scope));
    sync::Settings { source, mesh: snapshot::Settings::default(), waypoints: Served::ByStatus }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_reads_the_cluster_with_its_own_credentials() -> Result<()> {
    let (namespace, account) = WAYPOINT;
    let gateway = ObjectName::new(namespace, account);
    let cases = [
        ((NAMESPACE, AGENT), Scope::Node("n1".to_owned())),
        ((NAMESPACE, CONTROLLER), Scope::Whole),
        (WAYPOINT, Scope::Waypoint(gateway)),
    ];
    let plane = plane()?;
    for ((namespace, account), scope) in cases {
        let kubeconfig = plane.kubeconfig_of(namespace, account)?;
        let shutdown = CancellationToken::new();
        let feed = sync::watch(source(kubeconfig, scope), shutdown.clone()).await?;
        let denied: Vec<String> = feed
            .reports
            .borrow()
            .iter()
            .filter(|(_, finding)| finding.message.contains("forbidden"))
            .map(|(object, finding)| format!("{object}: {}", finding.message))
            .collect();
        ensure!(denied.is_empty(), "{account}: {denied:#?}");
        shutdown.cancel();
        feed.follower.await?;
    }
    Ok(())
}
