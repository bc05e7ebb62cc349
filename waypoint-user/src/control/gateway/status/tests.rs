use k8s_openapi::jiff::ToSpan;

use crate::{
    mesh::snapshot::Settings,
    sync::{Served, objects_in, translate},
};

use super::{super::ours, *};

const GATEWAY_TEXT: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: waypoint, namespace: shop, uid: g1, generation: 3 }
spec:
  gatewayClassName: istio-waypoint
  listeners: [{ name: mesh, port: 15008, protocol: HBONE }]
";

const SERVICE: &str = "
---
apiVersion: v1
kind: Service
metadata: { name: waypoint, namespace: shop }
spec:
  clusterIP: 10.96.0.7
  clusterIPs: [10.96.0.7, 'fd77:96::7']
  ports: [{ name: mesh, port: 15008 }]
";

const ENDPOINTS: &str = "
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: waypoint-x, namespace: shop, labels: { kubernetes.io/service-name: waypoint } }
addressType: IPv4
endpoints: [{ addresses: [10.0.0.1], conditions: { ready: true } }]
ports: [{ name: mesh, port: 15008 }]
";

fn now() -> Timestamp {
    "2026-01-02T03:04:05.678Z".parse().unwrap()
}

/// The status that is due.
fn due_of(manifests: &[&str], before: Option<&GatewayStatus>) -> Option<GatewayStatus> {
    let (objects, report) = objects_in(&[("test.yaml", manifests.concat().as_bytes())]);
    let (_, report) = translate(&objects, &Settings::default(), Served::ByStatus, report);
    let mut gateway = Gateway::clone(objects.gateways.values().next().unwrap());
    gateway.status = before.cloned();
    let runs = ours::runs(&gateway);
    let facts = Facts {
        objects: &objects,
        cluster_domain: "cluster.local",
        runs,
        refusal: None,
        trouble: None,
        attached: &Attached::of(&report),
    };
    let later = if before.is_some() { now() + 1.hour() } else { now() };
    let content = due(&gateway, &facts, later)?;
    Some(serde_json::from_value(content["status"].clone()).unwrap())
}

/// Status, reason and message of the condition Programmed.
fn programmed(status: &GatewayStatus) -> [&str; 3] {
    let all = status.conditions.as_deref().unwrap();
    let found = all.iter().find(|one| one.type_ == "Programmed").unwrap();
    assert_eq!(found.observed_generation, Some(3));
    [&found.status, &found.reason, &found.message]
}

fn addresses(status: &GatewayStatus) -> Vec<&str> {
    status.addresses.iter().flatten().map(|one| one.value.as_str()).collect()
}

#[test]
fn a_waypoint_is_programmed_when_a_pod_behind_its_service_is_ready() {
    let status = due_of(&[GATEWAY_TEXT], None).unwrap();
    let host = "waypoint.shop.svc.cluster.local";
    let failed = "Failed to assign to any requested addresses:";
    let message = format!("{failed} hostname \"{host}\" not found");
    assert_eq!(programmed(&status), ["False", "AddressNotAssigned", &message]);
    assert_eq!(addresses(&status), [""; 0]);

    let status = due_of(&[GATEWAY_TEXT, SERVICE], None).unwrap();
    let message = format!("{failed} no instances found for hostname \"{host}\"");
    assert_eq!(programmed(&status), ["False", "AddressNotAssigned", &message]);
    assert_eq!(addresses(&status), [""; 0]);

    let status = due_of(&[GATEWAY_TEXT, SERVICE, ENDPOINTS], None).unwrap();
    let message = format!("Resource programmed, assigned to service(s) {host}:15008");
    assert_eq!(programmed(&status), ["True", "Programmed", &message]);
    assert_eq!(addresses(&status), [host, "10.96.0.7", "fd77:96::7"]);
}

#[test]
fn what_is_wrong_with_the_service_is_said() {
    let other_port = SERVICE.replace("15008", "80");
    let status = due_of(&[GATEWAY_TEXT, &other_port, ENDPOINTS], None).unwrap();
    assert!(programmed(&status)[2].contains("port 15008 not found for hostname"));
    let pending = SERVICE.replace("  clusterIP: 10.96.0.7\n", "");
    let pending = pending.replace("10.96.0.7, 'fd77:96::7'", "");
    let status = due_of(&[GATEWAY_TEXT, &pending, ENDPOINTS], None).unwrap();
    assert!(programmed(&status)[2].contains("address pending for hostname"), "{status:?}");
    let unready = ENDPOINTS.replace("true", "false");
    let status = due_of(&[GATEWAY_TEXT, SERVICE, &unready], None).unwrap();
    assert!(programmed(&status)[2].contains("no instances found for hostname"));
}

#[test]
fn nothing_is_due_when_the_status_says_it_all() {
    let all = [GATEWAY_TEXT, SERVICE, ENDPOINTS];
    let status = due_of(&all, None).unwrap();
    assert_eq!(due_of(&all, Some(&status)), None);
}

#[test]
fn conditions_of_others_are_left_alone() {
    let all = [GATEWAY_TEXT, SERVICE, ENDPOINTS];
    let mut status = due_of(&all, None).unwrap();
    let mut other = status.conditions.clone().unwrap()[0].clone();
    other.type_ = "example.org/Checked".to_owned();
    status.conditions.as_mut().unwrap().push(other);
    assert_eq!(due_of(&all, Some(&status)), None);
}

#[test]
fn addresses_stay_and_times_change_only_with_the_status() {
    let before = due_of(&[GATEWAY_TEXT, SERVICE, ENDPOINTS], None).unwrap();
    let after = due_of(&[GATEWAY_TEXT, SERVICE], Some(&before)).unwrap();
    assert_eq!(addresses(&after), addresses(&before));
    let times = |status: &GatewayStatus| {
        let conditions = status.conditions.clone().unwrap();
        conditions.iter().map(|one| one.last_transition_time.0.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(times(&before), ["2026-01-02T03:04:05Z"; 3]);
    let [kept, changed] = ["2026-01-02T03:04:05Z", "2026-01-02T04:04:05Z"];
    assert_eq!(times(&after), [kept, changed, kept]);
}

/// An object of the Gateway API in the waypoint's namespace, with the waypoint as its parent.
fn route(kind: &str, name: &str, parents: &str) -> String {
    format!(
        "
---
apiVersion: gateway.networking.k8s.io/v1
kind: {kind}
metadata: {{ name: {name}, namespace: shop }}
spec: {{ parentRefs: [{parents}] }}
"
    )
}

#[test]
fn a_listener_counts_the_routes_that_it_accepts() {
    let twice =
        route("HTTPRoute", "twice", "{name: waypoint}, {name: waypoint, sectionName: mesh}");
    let grpc = route("GRPCRoute", "grpc", "{name: waypoint}");
    let other = route("HTTPRoute", "other", "{name: waypoint, sectionName: other}");
    let of_service = route("HTTPRoute", "service", "{group: '', kind: Service, name: waypoint}");
    let count = |gateway: &str| {
        let all = [gateway, SERVICE, ENDPOINTS, &twice, &grpc, &other, &of_service];
        let status = due_of(&all, None).unwrap();
        let listener = status.listeners.unwrap().remove(0);
        let kinds = listener.supported_kinds.unwrap();
        let kinds: Vec<_> = kinds.into_iter().map(|one| one.kind).collect();
        let resolved = listener.conditions.last().unwrap().reason.clone();
        (listener.attached_routes, kinds.join(" "), resolved)
    };
    let all = (2, "HTTPRoute GRPCRoute TLSRoute TCPRoute".to_owned(), "ResolvedRefs".to_owned());
    assert_eq!(count(GATEWAY_TEXT), all);
    let only =
        "protocol: HBONE, allowedRoutes: { kinds: [{ kind: GRPCRoute }, { kind: UDPRoute }] }";
    let some = (1, "GRPCRoute".to_owned(), "InvalidRouteKinds".to_owned());
    assert_eq!(count(&GATEWAY_TEXT.replace("protocol: HBONE", only)), some);
}

#[test]
fn a_listener_without_routes_says_so() {
    let status = due_of(&[GATEWAY_TEXT, SERVICE, ENDPOINTS], None).unwrap();
    let listener = &status.listeners.unwrap()[0];
    assert_eq!((listener.name.as_str(), listener.attached_routes), ("mesh", 0));
    let said = listener.conditions.iter().map(|one| (one.type_.as_str(), one.status.as_str()));
    assert_eq!(
        said.collect::<Vec<_>>(),
        [
            ("Accepted", "True"),
            ("Conflicted", "False"),
            ("Programmed", "True"),
            ("ResolvedRefs", "True"),
        ]
    );
}

#[test]
fn addresses_of_the_spec_name_services_that_somebody_else_sees_to() {
    let manual = |kind: &str, value: &str| {
        let listeners = format!("addresses: [{{ type: {kind}, value: {value} }}]\n  listeners");
        GATEWAY_TEXT.replace("listeners", &listeners)
    };
    let by_name = manual("Hostname", "waypoint");
    let status = due_of(&[&by_name, SERVICE, ENDPOINTS], None).unwrap();
    assert_eq!(programmed(&status)[0], "True");
    let absent = manual("Hostname", "other.shop.svc.cluster.local");
    let status = due_of(&[&absent, SERVICE, ENDPOINTS], None).unwrap();
    assert_eq!(programmed(&status)[1], "AddressNotUsable");
    let by_address = manual("IPAddress", "10.0.0.1");
    let status = due_of(&[&by_address, SERVICE, ENDPOINTS], None).unwrap();
    let accepted = &status.conditions.as_ref().unwrap()[0];
    assert_eq!(accepted.reason, "UnsupportedAddress");
}

#[test]
fn a_kind_of_another_group_is_none_that_a_listener_takes() {
    let kinds = "kinds: [{ group: example.org, kind: HTTPRoute }, { kind: GRPCRoute }]";
    let text = GATEWAY_TEXT
        .replace("protocol: HBONE", &format!("protocol: HBONE, allowedRoutes: {{ {kinds} }}"));
    let status = due_of(&[&text], None).unwrap();
    let listener = &status.listeners.as_ref().unwrap()[0];
    let supported = listener.supported_kinds.iter().flatten().map(|one| one.kind.as_str());
    assert_eq!(supported.collect::<Vec<_>>(), ["GRPCRoute"]);
    let refs = listener.conditions.iter().find(|one| one.type_ == "ResolvedRefs").unwrap();
    assert_eq!(refs.reason, "InvalidRouteKinds");
}
