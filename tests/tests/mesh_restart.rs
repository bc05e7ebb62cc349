//! What the mesh does while its own processes come and go, under 200 requests a second; and what
//! becomes of a pod's address when somebody else gets it.

use anyhow::ensure;
use waypoint_tests::{
    lab::{
        LabBuilder, Pod, WaypointPod,
        wait::{self, SOON},
    },
    story,
    story::{PER_SECOND, none_fails_under_load, two_nodes, under_load},
};

/// With two pods of the waypoint, of which one can go.
fn two_instances(lab: LabBuilder) -> LabBuilder {
    two_nodes(lab).pod(WaypointPod::of("shop", "waypoint").named("waypoint-b").on_node("n1"))
}

story!(a_planned_restart_of_a_waypoint_fails_no_request, |lab| {
    let mut lab = two_instances(lab).start()?;
    none_fails_under_load(&mut lab, |lab| {
        lab.edit_pod("waypoint-b", |pod| pod.ready(false))?;
        lab.waypoint_mut("waypoint-b")?.stop()?;
        lab.resume_waypoint("waypoint-b")?;
        lab.edit_pod("waypoint-b", |pod| pod.ready(true))
    })
});

story!(a_planned_restart_of_the_client_s_agent_fails_no_request, |lab| {
    let mut lab = two_nodes(lab).start()?;
    none_fails_under_load(&mut lab, |lab| {
        lab.agent_on_mut("n1")?.stop()?;
        lab.resume_agent_on("n1")
    })
});

story!(a_restart_of_the_server_s_agent_fails_only_what_comes_while_none_runs, |lab| {
    let mut lab = two_nodes(lab).agent_arguments(["--drain-seconds", "2"]).start()?;
    let tally = under_load(&mut lab, |lab| {
        lab.agent_on_mut("n2")?.stop()?;
        lab.resume_agent_on("n2")
    })?;
    ensure!(tally.failures.len() < PER_SECOND as usize, "{} failed", tally.failures.len());
    Ok(())
});

story!(a_waypoint_that_dies_costs_little_more_than_what_it_was_doing, |lab| {
    let mut lab = two_instances(lab).start()?;
    let tally = under_load(&mut lab, |lab| {
        lab.waypoint_mut("waypoint-b")?.kill()?;
        lab.edit_pod("waypoint-b", |pod| pod.ready(false))
    })?;
    // Half of the connections of the time that it takes to tell.
    ensure!(tally.failures.len() < PER_SECOND as usize / 2, "{} failed", tally.failures.len());
    Ok(())
});

story!(without_the_authority_what_has_certificates_goes_on, |lab| {
    let mut lab = two_nodes(lab).start()?;
    lab.across(&lab.from("web").to("reviews"), "waypoint")?;
    lab.authority_mut()?.daemon().kill()?;
    for _ in 0..5 {
        lab.across(&lab.from("web").to("reviews"), "waypoint")?;
    }
    lab.authority_mut()?.resume()
});

story!(an_agent_that_starts_again_carries_again, |lab| {
    let mut lab = two_nodes(lab).start()?;
    for node in ["n1", "n2"] {
        lab.agent_on_mut(node)?.kill()?;
        lab.resume_agent_on(node)?;
        lab.across(&lab.from("web").to("reviews"), "waypoint")?;
    }
    Ok(())
});

story!(a_pod_made_again_with_another_identity_gets_nothing_of_the_old, |lab| {
    let mut lab = two_nodes(lab).file("guard.yaml", ONLY_WEB).start()?;
    let call = lab.from("web").to("reviews");
    assert_eq!(lab.across(&call, "waypoint")?.reply.status, 200);
    lab.recreate_pod_as("web", |pod| pod.account("thief"))?;
    let call = lab.from("web").to("reviews");
    wait::until_true("a refusal of the new identity", SOON, || Ok(call.send()?.status == 403))?;
    let visit = lab.across(&call, "waypoint")?;
    assert_eq!(visit.reply.status, 403);
    let thief = lab.identity_of("web")?;
    let labels = [("source_principal", thief.as_str()), ("response_code", "403")];
    assert!(lab.waypoint("waypoint")?.metrics()?.has("istio_requests_total", &labels));
    Ok(())
});

story!(a_server_made_again_with_another_identity_is_not_taken_for_the_old, |lab| {
    let mut lab = two_nodes(lab).start()?;
    lab.across(&lab.from("web").to("reviews"), "waypoint")?;
    lab.recreate_pod_as("reviews-v1", |pod| pod.account("other"))?;
    // Its certificate comes a moment later than its manifest.
    wait::until_true("an answer of the new server", SOON, || {
        Ok(lab.from("web").to("reviews").send()?.status == 200)
    })?;
    lab.across(&lab.from("web").to("reviews"), "waypoint")?;
    Ok(())
});

story!(a_server_taken_away_gets_no_requests, |lab| {
    let spare = Pod::server("shop", "reviews-v2", "reviews").on_node("n1");
    let mut lab = two_nodes(lab).pod(spare).start()?;
    lab.across(&lab.from("web").to("reviews"), "waypoint")?;
    none_fails_under_load(&mut lab, |lab| lab.edit_pod("reviews-v2", |pod| pod.ready(false)))?;
    let reply = lab.across(&lab.from("web").to("reviews"), "waypoint")?.reply;
    assert_eq!(reply.says("name")?, "reviews-v1");
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
