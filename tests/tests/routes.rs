//! What routes do with requests, asked with curl and plain sockets.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use waypoint_tests::{
    lab::{LabBuilder, Namespace, Object, Pod, Service},
    story,
    story::shop_behind_waypoint,
};

/// The shop with two versions of `reviews`, each behind a Service of its own as well.
fn versions(lab: LabBuilder) -> LabBuilder {
    let version = |number: u8| {
        Pod::server("shop", &format!("reviews-v{number}"), "reviews")
            .label("version", &format!("v{number}"))
    };
    let service = |number: u8| {
        let service = Service::new("shop", &format!("reviews-v{number}")).app("reviews");
        service.select("version", &format!("v{number}"))
    };
    shop_behind_waypoint(lab)
        .pod(version(1))
        .pod(version(2))
        .service(service(1))
        .service(service(2))
}

/// A route of `reviews`, with one rule.
fn route(rule: &str) -> String {
    let indented = rule.trim().lines().collect::<Vec<_>>().join("\n    ");
    format!(
        "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: reviews, namespace: shop}}
spec:
  parentRefs:
  - {{group: '', kind: Service, name: reviews}}
  rules:
  - {indented}
"
    )
}

story!(route_timeout_is_a_504, |lab| {
    let rule = "
timeouts: {request: 300ms}
backendRefs: [{name: reviews-v1, port: 80}]";
    let lab = versions(lab).file("route.yaml", &route(rule)).start()?;
    let began = Instant::now();
    let visit = lab.through_waypoint(&lab.from("web").to("reviews").path("/slow?ms=5000"))?;
    ensure!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    assert_eq!(visit.reply.status, 504);
    assert_eq!(visit.reply.text(), "upstream request timeout");
    assert_eq!(visit.logged("response_flags"), "UT");
    let visit = lab.through_waypoint(&lab.from("web").to("reviews").path("/slow?ms=1"))?;
    assert_eq!(visit.reply.status, 200);
    Ok(())
});

story!(route_retry_hides_an_error, |lab| {
    let rule = "
retry: {codes: [503], attempts: 2, backoff: 10ms}
backendRefs: [{name: reviews-v1, port: 80}]";
    let lab = versions(lab).file("route.yaml", &route(rule)).start()?;
    let call = lab.from("web").to("reviews").path("/status?code=503");
    let visit = lab.through_waypoint(&call)?;
    assert_eq!(visit.reply.status, 503);
    assert_eq!(visit.logged("response_flags"), "URX");
    let visit = lab.through_waypoint(&lab.from("web").to("reviews").path("/status?code=502"))?;
    assert_eq!(visit.reply.status, 502);
    assert_eq!(visit.logged("response_flags"), "-");
    Ok(())
});

story!(route_mirror_gets_a_copy, |lab| {
    let rule = "
filters:
- type: RequestMirror
  requestMirror:
    backendRef: {name: reviews-v2, port: 80}
    percent: 100
backendRefs: [{name: reviews-v1, port: 80}]";
    let lab = versions(lab).file("route.yaml", &route(rule)).start()?;
    for _ in 0..5 {
        let call = lab.from("web").to("reviews").method("POST").body(b"hello").path("/a");
        let visit = lab.through_waypoint(&call)?;
        assert_eq!(visit.reply.says("name")?, "reviews-v1");
    }
    lab.wait_for_sum("waypoint_mirrored_requests_total", &[("result", "answered")], 5)?;
    // Copies are no requests of the client.
    lab.wait_for_sum("istio_requests_total", &[("reporter", "waypoint")], 5)
});

story!(route_session_stays_with_its_pod, |lab| {
    let rule = "
sessionPersistence: {sessionName: sid}
backendRefs:
- {name: reviews-v1, port: 80}
- {name: reviews-v2, port: 80}";
    let lab = versions(lab).file("route.yaml", &route(rule)).start()?;
    let first = lab.through_waypoint(&lab.from("web").to("reviews"))?.reply;
    let cookie = first.header("set-cookie").context("no cookie")?;
    let pair = cookie.split(';').next().unwrap_or_default().to_owned();
    ensure!(pair.starts_with("sid="), "{cookie}");
    for _ in 0..20 {
        let call = lab.from("web").to("reviews").header("cookie", &pair);
        let reply = lab.through_waypoint(&call)?.reply;
        assert_eq!(reply.says("name")?, first.says("name")?);
        ensure!(reply.header("set-cookie").is_none(), "a second cookie");
    }
    Ok(())
});

story!(route_cors_lets_a_page_ask, |lab| {
    let rule = "
filters:
- type: CORS
  cors:
    allowOrigins: ['https://*.example.com']
    allowMethods: [GET, PUT]
    allowHeaders: [x-a]
    maxAge: 60
backendRefs: [{name: reviews-v1, port: 80}]";
    let lab = versions(lab).file("route.yaml", &route(rule)).start()?;
    let url = lab.from("web").to("reviews").url()?;
    let asked = lab.from("web").run(
        "curl",
        &[
            "-sSig",
            "-X",
            "OPTIONS",
            "-H",
            "origin: https://shop.example.com",
            "-H",
            "access-control-request-method: PUT",
            &url,
        ],
    )?;
    ensure!(asked.starts_with("HTTP/1.1 204"), "{asked}");
    for line in [
        "access-control-allow-origin: https://shop.example.com",
        "access-control-allow-methods: GET, PUT",
        "access-control-allow-headers: x-a",
        "access-control-max-age: 60",
    ] {
        ensure!(asked.contains(line), "no {line} in {asked}");
    }
    let call = lab.from("web").to("reviews").header("origin", "https://evil.org");
    let reply = lab.through_waypoint(&call)?.reply;
    assert_eq!(reply.header("access-control-allow-origin"), None);
    Ok(())
});

story!(route_of_a_consumer_is_for_its_own_clients, |lab| {
    let consumers = "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: mine, namespace: office}
spec:
  parentRefs:
  - {group: '', kind: Service, name: reviews, namespace: shop}
  rules:
  - backendRefs:
    - {name: reviews-v2, namespace: shop, port: 80}
";
    let grant = "
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: {name: office, namespace: shop}
spec:
  from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: office}]
  to: [{group: '', kind: Service}]
";
    let lab = versions(lab)
        .namespace(Namespace::new("office").enrolled())
        .pod(Pod::new("office", "desk"))
        .file("route.yaml", &route("backendRefs: [{name: reviews-v1, port: 80}]"))
        .file("mine.yaml", consumers)
        .file("grant.yaml", grant)
        .start()?;
    for _ in 0..10 {
        let mine = lab.through_waypoint(&lab.from("desk").to("reviews"))?.reply;
        assert_eq!(mine.says("name")?, "reviews-v2");
        let others = lab.through_waypoint(&lab.from("web").to("reviews"))?.reply;
        assert_eq!(others.says("name")?, "reviews-v1");
    }
    Ok(())
});

story!(route_shares_of_nowhere_are_answered_with_500, |lab| {
    let rule = "
backendRefs:
- {name: reviews-v1, port: 80, weight: 0}
- {name: missing, port: 80, weight: 1}";
    let lab = versions(lab).file("route.yaml", &route(rule)).start()?;
    let visit = lab.through_waypoint(&lab.from("web").to("reviews"))?;
    assert_eq!(visit.reply.status, 500);
    Ok(())
});

story!(route_asks_an_authority_first, |lab| {
    let rule = "
filters:
- type: ExternalAuth
  externalAuth:
    protocol: HTTP
    backendRef: {name: reviews-v2, port: 80}
    http: {path: /}
backendRefs: [{name: reviews-v1, port: 80}]";
    let lab = versions(lab).file("route.yaml", &route(rule)).start()?;
    let visit = lab.through_waypoint(&lab.from("web").to("reviews").path("/status?code=200"))?;
    assert_eq!(visit.reply.status, 200);
    assert_eq!(visit.reply.says("name")?, "reviews-v1");
    let refused = lab.through_waypoint(&lab.from("web").to("reviews").path("/status?code=403"))?;
    assert_eq!(refused.reply.status, 403);
    assert_eq!(refused.logged("response_flags"), "UAEX");
    Ok(())
});
