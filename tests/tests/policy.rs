//! Routes and policies, end to end: what a client gets, and what is told about it.

use std::collections::BTreeMap;

use waypoint_tests::{
    lab::{LabBuilder, Object, Pod, Service},
    story,
    story::shop_behind_waypoint,
};

/// `reviews` in three versions, each also with a Service of its own.
fn three_reviews(lab: LabBuilder) -> LabBuilder {
    ["v1", "v2", "v3"].into_iter().fold(shop_behind_waypoint(lab), |lab, version| {
        let name = format!("reviews-{version}");
        let service = Service::new("shop", &name).app("reviews").select("version", version);
        let pod = Pod::server("shop", &name, "reviews").label("version", version);
        lab.pod(pod).service(service)
    })
}

story!(a_denied_method_is_a_403, |lab| {
    let mut lab = shop_behind_waypoint(lab).file("policy.yaml", DENY_DELETE).start()?;
    let visit = lab.through_waypoint(&lab.from("web").to("reviews").method("DELETE"))?;
    assert_eq!(visit.reply.status, 403);
    assert_eq!(visit.reply.text(), "RBAC: access denied");
    let details = visit.logged("response_code_details");
    assert_eq!(details, "rbac_access_denied_matched_policy[ns[shop]-policy[no-delete]-rule[0]]");
    assert_eq!(lab.through_waypoint(&lab.from("web").to("reviews"))?.reply.status, 200);
    lab.withdraw("policy.yaml")?;
    let visit = lab.through_waypoint(&lab.from("web").to("reviews").method("DELETE"))?;
    assert_eq!(visit.reply.status, 200);
    Ok(())
});

story!(only_the_named_client_is_let_in, |lab| {
    let lab = shop_behind_waypoint(lab)
        .pod(Pod::new("shop", "mobile"))
        .file("policy.yaml", ONLY_WEB)
        .start()?;
    assert_eq!(lab.through_waypoint(&lab.from("web").to("reviews"))?.reply.status, 200);
    let visit = lab.through_waypoint(&lab.from("mobile").to("reviews"))?;
    assert_eq!(visit.reply.status, 403);
    assert_eq!(visit.logged("source_workload"), "shop/mobile");
    Ok(())
});

story!(a_policy_change_reaches_a_live_connection, |lab| {
    let mut lab = shop_behind_waypoint(lab).start()?;
    let delete = lab.from("web").to("reviews").method("DELETE").request().clone();
    let mut live = lab.from("web").to("reviews").open()?;
    assert_eq!(live.exchange(&delete)?.status, 200);
    lab.apply("policy.yaml", DENY_DELETE)?;
    assert_eq!(live.exchange(&delete)?.status, 403);
    lab.withdraw("policy.yaml")?;
    assert_eq!(live.exchange(&delete)?.status, 200);
    Ok(())
});

story!(a_route_splits_by_weight, |lab| {
    let lab = three_reviews(lab).file("route.yaml", SPLIT).start()?;
    let mut live = lab.from("web").to("reviews").open()?;
    let request = lab.from("web").to("reviews").request().clone();
    let mut answers = BTreeMap::new();
    for _ in 0..SAMPLES {
        *answers.entry(live.exchange(&request)?.says("name")?).or_insert(0_u64) += 1;
    }
    // 10 % of 1000 with a standard deviation of 9.5; six of them are missed once in a billion runs.
    let minority = answers.get("reviews-v3").copied().unwrap_or_default();
    assert!((43..=157).contains(&minority), "{answers:?}");
    assert_eq!(answers.get("reviews-v2"), None, "{answers:?}");
    let v3 = [("destination_workload", "reviews-v3")];
    lab.wait_for_sum("istio_requests_total", &v3, minority)
});

story!(a_header_chooses_the_version, |lab| {
    let lab = three_reviews(lab).file("route.yaml", JASON).start()?;
    let jason = lab.from("web").to("reviews").header("end-user", "jason");
    let visit = lab.through_waypoint(&jason)?;
    assert_eq!(visit.reply.says("name")?, "reviews-v2");
    assert!(visit.logged("route_name").contains("jason"), "{}", visit.line);
    let visit = lab.through_waypoint(&lab.from("web").to("reviews").header("end-user", "ann"))?;
    assert_eq!(visit.reply.says("name")?, "reviews-v1");
    Ok(())
});

story!(a_route_redirects, |lab| {
    let lab = shop_behind_waypoint(lab).file("route.yaml", REDIRECT).start()?;
    let visit = lab.through_waypoint(&lab.from("web").to("reviews").path("/old/page?x=1"))?;
    assert_eq!(visit.reply.status, 301);
    let location = visit.reply.header("location");
    assert_eq!(location, Some("http://elsewhere.example/new/page?x=1"));
    Ok(())
});

story!(a_route_changes_headers_and_paths, |lab| {
    let lab = shop_behind_waypoint(lab).file("route.yaml", REWRITE).start()?;
    let call = lab.from("web").to("reviews").path("/api/v1/stars?n=5").header("x-secret", "1");
    // The log names the path that the client sent.
    let visit = lab.through_waypoint(&call)?;
    assert_eq!(visit.reply.says("path")?, "/stars?n=5");
    assert_eq!(visit.reply.server_got("host")?.as_deref(), Some("inner.example"));
    assert_eq!(visit.reply.server_got("x-added")?.as_deref(), Some("by-route"));
    assert_eq!(visit.reply.server_got("x-secret")?, None);
    assert_eq!(visit.reply.header("x-answered"), Some("yes"));
    Ok(())
});

story!(a_request_that_no_rule_matches_is_a_404, |lab| {
    let lab = shop_behind_waypoint(lab).file("route.yaml", REWRITE).start()?;
    let visit = lab.through_waypoint(&lab.from("web").to("reviews").path("/other"))?;
    assert_eq!(visit.reply.status, 404);
    assert_eq!(visit.logged("response_flags"), "NR");
    Ok(())
});

const SAMPLES: usize = 1000;

const DENY_DELETE: &str = "
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-delete, namespace: shop}
spec:
  targetRefs:
  - {group: '', kind: Service, name: reviews}
  action: DENY
  rules:
  - to:
    - operation: {methods: [DELETE]}
";

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

const SPLIT: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: split, namespace: shop}
spec:
  parentRefs:
  - {group: '', kind: Service, name: reviews, port: 80}
  rules:
  - backendRefs:
    - {name: reviews-v1, port: 80, weight: 90}
    - {name: reviews-v3, port: 80, weight: 10}
";

const JASON: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: jason, namespace: shop}
spec:
  parentRefs:
  - {group: '', kind: Service, name: reviews}
  rules:
  - matches:
    - headers: [{name: end-user, value: jason}]
    backendRefs:
    - {name: reviews-v2, port: 80}
  - backendRefs:
    - {name: reviews-v1, port: 80}
";

const REDIRECT: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: moved, namespace: shop}
spec:
  parentRefs:
  - {group: '', kind: Service, name: reviews}
  rules:
  - matches:
    - path: {type: PathPrefix, value: /old}
    filters:
    - type: RequestRedirect
      requestRedirect:
        hostname: elsewhere.example
        statusCode: 301
        path: {type: ReplacePrefixMatch, replacePrefixMatch: /new}
";

const REWRITE: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: api, namespace: shop}
spec:
  parentRefs:
  - {group: '', kind: Service, name: reviews}
  rules:
  - matches:
    - path: {type: PathPrefix, value: /api/v1}
    filters:
    - type: RequestHeaderModifier
      requestHeaderModifier:
        add: [{name: x-added, value: by-route}]
        remove: [x-secret]
    - type: ResponseHeaderModifier
      responseHeaderModifier:
        set: [{name: x-answered, value: 'yes'}]
    - type: URLRewrite
      urlRewrite:
        hostname: inner.example
        path: {type: ReplacePrefixMatch, replacePrefixMatch: /}
    backendRefs:
    - {name: reviews, port: 80}
";
