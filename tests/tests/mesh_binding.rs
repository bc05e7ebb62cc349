//! Which waypoint of which node or namespace stands before a destination, and what happens while it
//! cannot serve.

use std::time::{Duration, Instant};

use anyhow::Result;
use waypoint_tests::{
    lab::{
        Call, Gateway, Lab, LabBuilder, Namespace, Object, Pod, Service, WaypointPod,
        object::USE_WAYPOINT_NAMESPACE,
    },
    story,
    story::two_nodes,
};

/// No answer of a server, at once: a closed connection or a local reply.
fn refused_at_once(call: &Call<'_>) {
    let start = Instant::now();
    let attempt = call.send();
    let took = start.elapsed();
    let refused = attempt.as_ref().map_or(true, |reply| reply.status == 503);
    assert!(refused, "{call} was answered: {attempt:?}");
    assert!(took < Duration::from_secs(2), "{call} was refused after {took:?}");
}

story!(a_waypoint_for_workloads_takes_pod_addresses_across_nodes, |lab| {
    let lab =
        two_nodes(lab).gateway(Gateway::new("shop", "waypoint").serving("workload")).start()?;
    lab.across(&lab.from("web").to_pod("reviews-v1"), "waypoint")?;
    lab.left_alone(&lab.from("web").to("reviews"))?;
    Ok(())
});

story!(a_waypoint_of_another_namespace_serves_its_guests, |lab| {
    let service = Service::new("shop", "reviews").uses("shared");
    let lab = two_nodes(lab)
        .namespace(Namespace::new("infra").enrolled())
        .gateway(Gateway::new("infra", "shared").from_all())
        .pod(WaypointPod::of("infra", "shared").on_node("n2"))
        .service(service.label(USE_WAYPOINT_NAMESPACE, "infra"))
        .start()?;
    let visit = lab.across(&lab.from("web").to("reviews"), "shared")?;
    assert_eq!(visit.logged("waypoint"), "infra/shared");
    assert_eq!(visit.logged("source_workload"), "shop/web");
    Ok(())
});

story!(a_waypoint_in_the_agents_serves_its_node_s_clients, |lab| {
    let lab = two_nodes(lab)
        .gateway(Gateway::new("shop", "waypoint").on_nodes())
        .file("no-delete.yaml", DENY_DELETE)
        .start()?;
    let call = lab.from("web").to("reviews");
    let visit = lab.handled_by(lab.agent_of("web")?, &call)?;
    assert_eq!(visit.reply.says("name")?, "reviews-v1");
    assert_eq!(visit.logged("waypoint"), "shop/waypoint");
    let visit = lab.handled_by(lab.agent_of("web")?, &call.method("DELETE"))?;
    assert_eq!(visit.reply.status, 403);
    assert!(lab.waypoint("waypoint")?.access_log()?.is_empty());
    Ok(())
});

/// With a waypoint whose only pod is not ready, and how destinations want to fail.
fn without_ready_pods(lab: LabBuilder, fail_mode: Option<&str>) -> Result<Lab> {
    let service = Service::new("shop", "reviews");
    let service = match fail_mode {
        Some(mode) => service.fails(mode),
        None => service,
    };
    let mut lab = two_nodes(lab).service(service).start()?;
    lab.across(&lab.from("web").to("reviews"), "waypoint")?;
    lab.edit_pod("waypoint", |pod| pod.ready(false))?;
    Ok(lab)
}

story!(a_waypoint_without_ready_pods_refuses, |lab| {
    let mut lab = without_ready_pods(lab, None)?;
    refused_at_once(&lab.from("web").to("reviews"));
    lab.edit_pod("waypoint", |pod| pod.ready(true))?;
    lab.across(&lab.from("web").to("reviews"), "waypoint")?;
    Ok(())
});

story!(a_waypoint_without_ready_pods_refuses_where_that_is_asked_for, |lab| {
    let lab = without_ready_pods(lab, Some("closed"))?;
    refused_at_once(&lab.from("web").to("reviews"));
    Ok(())
});

story!(a_waypoint_without_ready_pods_is_passed_by_where_that_is_asked_for, |lab| {
    let lab = without_ready_pods(lab, Some("open"))?;
    let reply = lab.from("web").to("reviews").send()?;
    assert_eq!(reply.says("name")?, "reviews-v1");
    Ok(())
});

story!(requests_spread_over_the_pods_of_a_waypoint, |lab| {
    let lab = two_nodes(lab)
        .pod(WaypointPod::of("shop", "waypoint").named("waypoint-b").on_node("n2"))
        .start()?;
    for _ in 0..CONNECTIONS {
        assert_eq!(lab.from("web").to("reviews").send()?.status, 200);
    }
    // Each misses all of them once in 2^40 runs.
    for pod in ["waypoint", "waypoint-b"] {
        lab.waypoint(pod)?.wait_for_line("any", 0, |line| line["response_code"] == 200)?;
    }
    Ok(())
});

story!(the_waypoint_s_pod_of_the_client_s_node_is_nearest, |lab| {
    let lab = two_nodes(lab)
        .pod(WaypointPod::of("shop", "waypoint").named("waypoint-b").on_node("n1"))
        .pod(Pod::new("shop", "mobile").on_node("n2"))
        .start()?;
    for _ in 0..5 {
        lab.across(&lab.from("web").to("reviews"), "waypoint-b")?;
        lab.across(&lab.from("mobile").to("reviews"), "waypoint")?;
    }
    Ok(())
});

story!(a_canary_waypoint_takes_its_share_of_connections, |lab| {
    let service = Service::new("shop", "reviews").label("istio.io/use-waypoint", "waypoint");
    let service = service
        .label("istio.io/use-waypoint-canary", "canary")
        .annotation("istio.io/use-waypoint-canary-weight", "50");
    let lab = two_nodes(lab)
        .gateway(Gateway::new("shop", "canary"))
        .pod(WaypointPod::of("shop", "canary").on_node("n1"))
        .service(service)
        .start()?;
    for _ in 0..CONNECTIONS {
        assert_eq!(lab.from("web").to("reviews").send()?.status, 200);
    }
    for pod in ["waypoint", "canary"] {
        lab.waypoint(pod)?.wait_for_line("any", 0, |line| line["response_code"] == 200)?;
    }
    Ok(())
});

story!(a_service_bound_while_it_runs_is_served_by_the_waypoint_of_another_node, |lab| {
    let mut lab = two_nodes(lab)
        .pod(Pod::server("shop", "ratings-v1", "ratings").on_node("n2"))
        .service(Service::new("shop", "ratings").uses("none"))
        .start()?;
    lab.left_alone(&lab.from("web").to("ratings"))?;
    lab.label("Service", "ratings", "istio.io/use-waypoint", "waypoint")?;
    lab.across(&lab.from("web").to("ratings"), "waypoint")?;
    lab.label("Service", "ratings", "istio.io/use-waypoint", "none")?;
    lab.left_alone(&lab.from("web").to("ratings"))?;
    Ok(())
});

const CONNECTIONS: usize = 40;

const DENY_DELETE: &str = "
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-delete, namespace: shop}
spec:
  targetRefs:
  - {group: gateway.networking.k8s.io, kind: Gateway, name: waypoint}
  action: DENY
  rules:
  - to:
    - operation: {methods: [DELETE]}
";
