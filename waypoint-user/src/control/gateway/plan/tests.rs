use serde_json::{Value, json};

use crate::{
    control::{
        kind::{DEPLOYMENT, Kind, SERVICE},
        writer::FIELD_MANAGER,
    },
    mesh::snapshot,
    sync::{Served, objects_in, translate},
};

use super::*;

const GATEWAY_TEXT: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: waypoint, namespace: shop, uid: g1, generation: 3 }
spec:
  gatewayClassName: istio-waypoint
  listeners: [{ name: mesh, port: 15008, protocol: HBONE }]
";

/// A cluster as the tests have it.
struct Cluster {
    settings: Settings,
    objects: Objects,
    report: Report,
    there: There,
    troubles: BTreeMap<Target, Trouble>,
}

impl Cluster {
    fn new(manifests: &str) -> Self {
        let settings = Settings {
            namespace: "waypoint-system".to_owned(),
            agent_account: "waypoint-agent".to_owned(),
            identity: "test".to_owned(),
            waypoint_image: "image".to_owned(),
            ca_address: "ca:15012".to_owned(),
            revision: "default".to_owned(),
            tracing: None,
            mesh: snapshot::Settings::default(),
        };
        let (objects, report) = objects_in(&[("test.yaml", manifests.as_bytes())]);
        let (_, report) = translate(&objects, &settings.mesh, Served::ByStatus, report);
        let (there, troubles) = (There::default(), BTreeMap::new());
        Self { settings, objects, report, there, troubles }
    }

    fn plan(&self) -> Plan {
        plan(&Scene {
            settings: &self.settings,
            objects: &self.objects,
            report: &self.report,
            there: &self.there,
            maps: &Maps::default(),
            troubles: &self.troubles,
        })
    }

    /// What is to be written, as text.
    fn wanted(&self) -> Vec<String> {
        let wanted = self.plan().wanted;
        let what = |one: &Wanted| match *one.change {
            Change::Apply { .. } => format!("apply {}", one.target),
            Change::Create(_) => format!("create {}", one.target),
            Change::Delete { .. } => format!("delete {}", one.target),
        };
        wanted.iter().map(what).collect()
    }

    /// The status to be written.
    fn status(&self) -> Value {
        let wanted = self.plan().wanted;
        let status = Target::status(GATEWAY, ObjectName::new("shop", "waypoint"));
        let found = wanted.iter().find(|one| one.target == status).expect("no status");
        let Change::Apply { content, .. } = &*found.change else { panic!("{found:?}") };
        content["status"].clone()
    }

    /// A condition of it: status, reason, message.
    fn condition(&self, kind: &str) -> [String; 3] {
        let status = self.status();
        let all = status["conditions"].as_array().unwrap();
        let found = all.iter().find(|one| one["type"] == kind).unwrap();
        ["status", "reason", "message"].map(|field| found[field].as_str().unwrap().to_owned())
    }
}

/// An object of ours as the API server has it.
fn ours(kind: Kind, name: &str) -> (Target, Value) {
    let object = json!({
        "metadata": { "uid": format!("{name}-uid"), "ownerReferences": [{ "uid": "g1" }] },
    });
    (Target::whole(kind, ObjectName::new("shop", name)), object)
}

#[test]
fn a_gateway_gets_what_it_runs_in_and_a_status() {
    assert_eq!(
        Cluster::new(GATEWAY_TEXT).wanted(),
        [
            "apply ServiceAccount shop/waypoint",
            "apply Deployment shop/waypoint",
            "apply Service shop/waypoint",
            "apply ClusterRoleBinding waypoint-proxy:shop:waypoint",
            "apply status of Gateway shop/waypoint",
        ]
    );
}

#[test]
fn what_is_so_already_is_not_written() {
    let mut cluster = Cluster::new(GATEWAY_TEXT);
    let wanted = cluster.plan().wanted;
    let live = wanted.iter().filter_map(|one| {
        let Change::Apply { content, claim: Claim::Labelled(..) } = &*one.change else {
            return None;
        };
        // Our record says that all of it is ours.
        let mut record = json!({
            "f:metadata": { "f:labels": {}, "f:annotations": {}, "f:ownerReferences": {} },
        });
        for field in ["spec", "roleRef", "subjects"] {
            if content.get(field).is_some() {
                record[format!("f:{field}")] = json!({});
            }
        }
        let mut live = content.clone();
        live["metadata"]["managedFields"] =
            json!([{ "manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": record }]);
        Some((one.target.clone(), live))
    });
    cluster.there = There::holding(live.collect());
    assert_eq!(cluster.wanted(), ["apply status of Gateway shop/waypoint"]);
}

#[test]
fn a_gateway_of_another_revision_is_left_alone() {
    let text = GATEWAY_TEXT.replace("uid: g1", "uid: g1, labels: { istio.io/rev: canary }");
    let mut cluster = Cluster::new(&text);
    assert_eq!(cluster.wanted(), [""; 0]);
    cluster.settings.revision = "canary".to_owned();
    assert_eq!(cluster.wanted().len(), 5);
}

#[test]
fn the_revision_of_the_namespace_counts_where_the_gateway_has_none() {
    let namespace = "
---
apiVersion: v1
kind: Namespace
metadata: { name: shop, labels: { istio.io/rev: canary } }
";
    let mut cluster = Cluster::new(&format!("{GATEWAY_TEXT}{namespace}"));
    assert_eq!(cluster.wanted(), [""; 0]);
    cluster.settings.revision = "canary".to_owned();
    assert_eq!(cluster.wanted().len(), 5);
}

#[test]
fn a_gateway_of_another_class_is_left_alone_and_loses_what_it_ran_in() {
    let class = "
---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: { name: istio-waypoint }
spec: { controllerName: example.org/other }
";
    let mut cluster = Cluster::new(&format!("{GATEWAY_TEXT}{class}"));
    assert_eq!(cluster.wanted(), [""; 0]);
    cluster.there = There::holding(vec![ours(DEPLOYMENT, "waypoint")]);
    assert_eq!(cluster.wanted(), ["delete Deployment shop/waypoint"]);
}

#[test]
fn bad_listeners_are_refused_and_what_runs_already_stays() {
    let mut cluster = Cluster::new(&GATEWAY_TEXT.replace("HBONE", "HTTP"));
    cluster.there = There::holding(vec![ours(DEPLOYMENT, "waypoint")]);
    assert_eq!(cluster.wanted(), ["apply status of Gateway shop/waypoint"]);
    let message = "Expected a single listener on port 15008 with protocol \"HBONE\"";
    assert_eq!(cluster.condition("Accepted"), ["False", "ListenersNotValid", message]);
    assert_eq!(cluster.condition("Programmed"), ["False", "Invalid", message]);
    let listener = &cluster.status()["listeners"][0];
    assert_eq!(listener["conditions"][0]["reason"], "UnsupportedProtocol");
    assert_eq!(cluster.plan().tales[0].reason, "ListenersNotValid");
}

#[test]
fn other_parameters_than_config_maps_are_refused() {
    let text = GATEWAY_TEXT.replace(
        "listeners:",
        "infrastructure: { parametersRef: { group: example.org, kind: Box, name: x } }
  listeners:",
    );
    let cluster = Cluster::new(&text);
    assert_eq!(cluster.wanted(), ["apply status of Gateway shop/waypoint"]);
    let message =
        "Unsupported parametersRef group/kind example.org/Box, only ConfigMap is supported";
    assert_eq!(cluster.condition("Accepted"), ["False", "InvalidParameters", message]);
}

#[test]
fn parameters_that_are_not_known_yet_are_waited_for() {
    let text = GATEWAY_TEXT.replace(
        "listeners:",
        "infrastructure: { parametersRef: { group: '', kind: ConfigMap, name: x } }
  listeners:",
    );
    assert_eq!(Cluster::new(&text).wanted(), [""; 0]);
}

#[test]
fn a_waypoint_of_the_agents_runs_in_no_pods() {
    let text =
        GATEWAY_TEXT.replace("uid: g1", "uid: g1, annotations: { waypoint.dev/placement: node }");
    let mut cluster = Cluster::new(&text);
    cluster.there = There::holding(vec![ours(SERVICE, "waypoint")]);
    assert_eq!(
        cluster.wanted(),
        ["delete Service shop/waypoint", "apply status of Gateway shop/waypoint"]
    );
    assert_eq!(cluster.condition("Programmed")[0], "True");
}

#[test]
fn what_is_no_longer_wanted_goes_if_it_is_the_gateways() {
    let mut cluster = Cluster::new(GATEWAY_TEXT);
    let (other, mut object) = ours(SERVICE, "another-gateways");
    object["metadata"]["ownerReferences"][0]["uid"] = json!("g2");
    cluster.there = There::holding(vec![ours(DEPLOYMENT, "former-name"), (other, object)]);
    let wanted = cluster.wanted();
    let deleted: Vec<_> = wanted.iter().filter(|one| one.starts_with("delete")).collect();
    assert_eq!(deleted, ["delete Deployment shop/former-name"]);
}

#[test]
fn what_a_person_must_act_on_is_in_the_status_and_told() {
    let mut cluster = Cluster::new(GATEWAY_TEXT);
    let deployment = Target::whole(DEPLOYMENT, ObjectName::new("shop", "waypoint"));
    let trouble = Trouble {
        reason: "ForeignObject",
        message: "it is somebody else's".to_owned(),
        needs_a_person: true,
    };
    cluster.troubles.insert(deployment, trouble);
    assert_eq!(cluster.condition("Programmed"), ["False", "Invalid", "it is somebody else's"]);
    assert_eq!(cluster.condition("Accepted")[0], "True");
    let tale = &cluster.plan().tales[0];
    assert_eq!((tale.reason.as_str(), tale.about.uid.as_deref()), ("ForeignObject", Some("g1")));
}

/// The binding of a Gateway as the API server has it.
fn binding_of(namespace: &str, name: &str) -> (Target, Value) {
    let target = format!("waypoint-proxy:{namespace}:{name}");
    let object = json!({ "metadata": { "uid": "b1", "labels": {
        "gateway.networking.k8s.io/gateway-name": name,
        "waypoint.dev/gateway-namespace": namespace,
    } } });
    (Target::whole(CLUSTER_ROLE_BINDING, ObjectName::cluster(target)), object)
}

#[test]
fn the_right_to_read_the_mesh_goes_with_the_gateway() {
    let mut cluster = Cluster::new("");
    cluster.there = There::holding(vec![binding_of("shop", "waypoint")]);
    assert_eq!(cluster.wanted(), ["delete ClusterRoleBinding waypoint-proxy:shop:waypoint"]);
    // Not so while the Gateway is there, even if it is not served as it is written.
    let refused = GATEWAY_TEXT.replace("HBONE", "HTTP");
    let canary = GATEWAY_TEXT.replace("uid: g1", "uid: g1, labels: { istio.io/rev: canary }");
    for text in [GATEWAY_TEXT, &refused, &canary] {
        let mut cluster = Cluster::new(text);
        cluster.there = There::holding(vec![binding_of("shop", "waypoint")]);
        assert!(!cluster.wanted().iter().any(|one| one.starts_with("delete")), "{text}");
    }
}

#[test]
fn two_gateways_do_not_fight_over_a_name() {
    let second = GATEWAY_TEXT
        .replace("name: waypoint", "name: zweite")
        .replace("uid: g1", "uid: g2, annotations: { gateway.istio.io/name-override: waypoint }");
    let cluster = Cluster::new(&format!("{GATEWAY_TEXT}---{second}"));
    let wanted = cluster.wanted();
    let deployments = wanted.iter().filter(|one| one.contains("Deployment")).count();
    assert_eq!(deployments, 1, "{wanted:?}");
    let tale = &cluster.plan().tales[0];
    assert_eq!((tale.reason.as_str(), tale.about.name.as_deref()), ("NameTaken", Some("zweite")));
    assert!(tale.note.contains("is made for Gateway shop/waypoint already"), "{}", tale.note);
}
