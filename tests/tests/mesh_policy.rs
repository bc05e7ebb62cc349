//! Who may reach a pod on another node: policies at the destination, and what it demands of
//! callers.

use anyhow::Result;
use waypoint_tests::{
    lab::{Lab, LabBuilder, Object, Pod},
    story,
    story::two_nodes,
};

/// With a second client beside `web`.
fn two_clients(lab: LabBuilder) -> LabBuilder {
    two_nodes(lab).pod(Pod::new("shop", "mobile"))
}

/// How the waypoint answers a client when the destination decides.
fn status(lab: &Lab, client: &str) -> Result<u16> {
    Ok(lab.across(&lab.from(client).to("reviews"), "waypoint")?.reply.status)
}

/// An AuthorizationPolicy for the pods of `reviews`, with one rule.
fn allow(rule: &str) -> String {
    format!(
        "
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: guard, namespace: shop}}
spec:
  selector: {{matchLabels: {{app: reviews}}}}
  action: ALLOW
  rules:
  - {rule}
"
    )
}

fn from_principal(account: &str) -> String {
    allow(&format!("from: [{{source: {{principals: [cluster.local/ns/shop/sa/{account}]}}}}]"))
}

fn when_client(key: &str, value: &str) -> String {
    allow(&format!("when: [{{key: waypoint.dev/client.{key}, values: [{value}]}}]"))
}

story!(a_destination_admits_the_identity_of_its_waypoint_only, |lab| {
    let mut lab = two_nodes(lab).file("guard.yaml", &from_principal("waypoint")).start()?;
    assert_eq!(status(&lab, "web")?, 200);
    // What the destination sees is the waypoint, not the client behind it.
    lab.apply("guard.yaml", &from_principal("web"))?;
    assert_eq!(status(&lab, "web")?, 503);
    lab.withdraw("guard.yaml")?;
    assert_eq!(status(&lab, "web")?, 200);
    Ok(())
});

story!(a_destination_knows_the_client_behind_its_waypoint, |lab| {
    let web = when_client("principal", "cluster.local/ns/shop/sa/web");
    let lab = two_clients(lab).file("guard.yaml", &web).start()?;
    assert_eq!(status(&lab, "web")?, 200);
    assert_eq!(status(&lab, "mobile")?, 503);
    assert_eq!(status(&lab, "web")?, 200);
    Ok(())
});

story!(a_destination_knows_the_namespace_of_the_client_behind_its_waypoint, |lab| {
    let lab = two_clients(lab).file("guard.yaml", &when_client("namespace", "shop"));
    let mut lab = lab.start()?;
    assert_eq!(status(&lab, "web")?, 200);
    lab.apply("guard.yaml", &when_client("namespace", "bank"))?;
    assert_eq!(status(&lab, "web")?, 503);
    Ok(())
});

story!(a_waypoint_judges_clients_of_other_nodes_by_who_they_are, |lab| {
    let lab = two_clients(lab).file("only-web.yaml", ONLY_WEB).start()?;
    assert_eq!(status(&lab, "web")?, 200);
    let visit = lab.across(&lab.from("mobile").to("reviews"), "waypoint")?;
    assert_eq!(visit.reply.status, 403);
    assert_eq!(visit.reply.text(), "RBAC: access denied");
    assert_eq!(visit.logged("source_workload"), "shop/mobile");
    Ok(())
});

story!(strict_peers_refuse_plaintext_and_take_the_waypoint, |lab| {
    let stranger = Pod::new("shop", "stranger").opted_out();
    let mut lab = two_nodes(lab).pod(stranger).start()?;
    assert_eq!(lab.from("stranger").to_pod("reviews-v1").send()?.status, 200);
    lab.apply("strict.yaml", STRICT)?;
    lab.cut_off(&lab.from("stranger").to_pod("reviews-v1"))?;
    lab.cut_off(&lab.from("web").to_pod("reviews-v1"))?;
    assert_eq!(status(&lab, "web")?, 200);
    // The kubelet's probes are not callers.
    assert_eq!(lab.from_node_named("n2").to_pod("reviews-v1").send()?.status, 200);
    lab.withdraw("strict.yaml")?;
    assert_eq!(lab.from("stranger").to_pod("reviews-v1").send()?.status, 200);
    Ok(())
});

const ONLY_WEB: &str = "
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: only-web, namespace: shop}
spec:
  targetRefs:
  - {group: gateway.networking.k8s.io, kind: Gateway, name: waypoint}
  action: ALLOW
  rules:
  - from:
    - source: {principals: [cluster.local/ns/shop/sa/web]}
";

const STRICT: &str = "
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: shop}
spec:
  mtls: {mode: STRICT}
";
