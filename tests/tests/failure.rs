//! What happens when something is missing or broken: the process, a manifest, an endpoint.

use std::{
    io::Read,
    time::{Duration, Instant},
};

use anyhow::Result;
use waypoint_tests::{
    lab::{
        Call, Lab, Object, Pod, Service,
        object::USE_WAYPOINT,
        wait::{self, SOON},
    },
    story,
    story::{shop, shop_behind_waypoint},
};

/// A refusal comes at once; nobody waits for a timeout.
fn refused_at_once(call: &Call<'_>) {
    let start = Instant::now();
    let attempt = call.send();
    let took = start.elapsed();
    assert!(attempt.is_err(), "{call} was answered: {attempt:?}");
    assert!(took < Duration::from_secs(1), "{call} was refused after {took:?}");
}

/// The answer of a server that saw the client itself.
fn answered_directly(lab: &Lab, call: &Call<'_>) -> Result<()> {
    let reply = call.send()?;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.server_saw_peer()?, lab.pod_address("web")?.ip());
    Ok(())
}

/// How a DELETE is answered.
fn delete(lab: &Lab) -> Result<u16> {
    let visit = lab.through_waypoint(&lab.from("web").to("reviews").method("DELETE"))?;
    Ok(visit.reply.status)
}

story!(without_the_process_open_destinations_stay_reachable, |lab| {
    let mut lab = shop_behind_waypoint(lab).start()?;
    lab.through_waypoint(&lab.from("web").to("reviews"))?;
    lab.kill_agent()?;
    answered_directly(&lab, &lab.from("web").to("reviews"))?;
    lab.resume_agent()?;
    assert!(lab.kernel_counter("fail_open")? >= 1);
    lab.through_waypoint(&lab.from("web").to("reviews"))?;
    Ok(())
});

story!(without_the_process_closed_destinations_are_refused, |lab| {
    let service = Service::new("shop", "reviews").fails("closed");
    let mut lab = shop_behind_waypoint(lab).service(service).start()?;
    lab.through_waypoint(&lab.from("web").to("reviews"))?;
    lab.kill_agent()?;
    refused_at_once(&lab.from("web").to("reviews"));
    lab.resume_agent()?;
    assert!(lab.kernel_counter("fail_closed")? >= 1);
    lab.through_waypoint(&lab.from("web").to("reviews"))?;
    Ok(())
});

story!(without_the_process_a_destination_with_a_policy_is_refused, |lab| {
    let mut lab = shop_behind_waypoint(lab)
        .pod(Pod::server("shop", "ratings-v1", "ratings"))
        .service(Service::new("shop", "ratings"))
        .file("policy.yaml", ALLOW_ON_REVIEWS)
        .start()?;
    lab.through_waypoint(&lab.from("web").to("reviews"))?;
    lab.kill_agent()?;
    refused_at_once(&lab.from("web").to("reviews"));
    answered_directly(&lab, &lab.from("web").to("ratings"))
});

story!(without_the_process_a_destination_with_a_policy_may_ask_to_stay_open, |lab| {
    let mut lab = shop_behind_waypoint(lab)
        .service(Service::new("shop", "reviews").fails("open"))
        .file("policy.yaml", ALLOW_ON_REVIEWS)
        .start()?;
    lab.through_waypoint(&lab.from("web").to("reviews"))?;
    lab.kill_agent()?;
    answered_directly(&lab, &lab.from("web").to("reviews"))
});

story!(a_captured_connection_ends_promptly_with_the_process, |lab| {
    let mut lab = shop_behind_waypoint(lab).start()?;
    let request = lab.from("web").to("reviews").request().clone();
    let mut live = lab.from("web").to("reviews").open()?;
    assert_eq!(live.exchange(&request)?.status, 200);
    lab.kill_agent()?;
    let start = Instant::now();
    assert!(live.exchange(&request).is_err());
    assert!(start.elapsed() < Duration::from_secs(2), "took {:?}", start.elapsed());
    Ok(())
});

story!(a_restart_keeps_unrelated_flows_and_captures_new_ones, |lab| {
    let mut lab = shop_behind_waypoint(lab)
        .pod(Pod::server("shop", "ratings-v1", "ratings"))
        .service(Service::new("shop", "ratings").uses("none"))
        .start()?;
    let request = lab.from("web").to("ratings").request().clone();
    let mut by_vip = lab.from("web").to("ratings").open()?;
    let mut by_pod = lab.from("web").to_pod("ratings-v1").open()?;
    for step in ["running", "killed", "running again"] {
        match step {
            "killed" => lab.kill_agent()?,
            "running again" => lab.resume_agent()?,
            _ => {}
        }
        for unrelated in [&mut by_vip, &mut by_pod] {
            let reply = unrelated.exchange(&request)?;
            assert_eq!(reply.server_saw_peer()?, lab.pod_address("web")?.ip(), "{step}");
        }
    }
    lab.through_waypoint(&lab.from("web").to("reviews"))?;
    Ok(())
});

story!(a_graceful_end_lets_requests_finish, |lab| {
    let mut lab = shop_behind_waypoint(lab).start()?;
    let call = lab.from("web").to("reviews").path("/bytes?n=50000000");
    let mut live = call.open()?;
    live.send(call.request())?;
    let begun = live.read_head()?;
    lab.ask_agent_to_end()?;
    wait::until_true("new connections left alone", SOON, || {
        let reply = lab.from("web").to("reviews").send()?;
        Ok(reply.server_saw_peer()? == lab.pod_address("web")?.ip())
    })?;
    assert_eq!(live.finish_after(begun)?.body.len(), 50_000_000);
    lab.stop_agent()?;
    Ok(())
});

story!(a_broken_manifest_keeps_the_last_good_state, |lab| {
    let mut lab = shop_behind_waypoint(lab).file("policy.yaml", DENY_DELETE).start()?;
    assert_eq!(delete(&lab)?, 403);
    lab.apply("policy.yaml", "apiVersion: security.istio.io/v1\nkind: [broken\n")?;
    assert_eq!(delete(&lab)?, 403);
    assert!(lab.agent()?.log()?.contains("policy.yaml"), "{}", lab.agent()?.log()?);
    lab.through_waypoint(&lab.from("web").to("reviews"))?;
    lab.apply("policy.yaml", &DENY_DELETE.replace("DELETE", "PATCH"))?;
    assert_eq!(delete(&lab)?, 200);
    Ok(())
});

story!(a_service_without_endpoints_answers_503, |lab| {
    let lab = shop_behind_waypoint(lab).service(Service::new("shop", "ghost")).start()?;
    let visit = lab.through_waypoint(&lab.from("web").to("ghost"))?;
    assert_eq!(visit.reply.status, 503);
    assert_eq!(visit.reply.text(), "no healthy upstream");
    assert_eq!(visit.logged("response_flags"), "UH");
    Ok(())
});

story!(an_endpoint_that_refuses_answers_503, |lab| {
    let lab = shop_behind_waypoint(lab)
        .pod(Pod::new("shop", "idle-v1").label("app", "idle"))
        .service(Service::new("shop", "idle"))
        .start()?;
    let visit = lab.through_waypoint(&lab.from("web").to("idle"))?;
    assert_eq!(visit.reply.status, 503);
    assert_eq!(visit.logged("response_flags"), "UF");
    Ok(())
});

/// A call from one port of the client, whose connection the waypoint closes first: the agent's
/// namespace remembers it for a while, and the client's port is free again at once.
fn from_one_port(lab: &Lab) -> Call<'_> {
    lab.from("web").to("reviews").from_port(40_000).header("connection", "close")
}

/// Uses the port for a call through the waypoint, until its connection is closed.
fn use_the_port(lab: &Lab) -> Result<()> {
    let call = from_one_port(lab);
    let mut connection = call.open()?;
    assert_eq!(connection.exchange(call.request())?.status, 200);
    assert_eq!(connection.stream().read_to_end(&mut Vec::new())?, 0);
    Ok(())
}

/// An answer, by whatever way, before anybody would have lost patience.
fn answered_soon(call: &Call<'_>) -> Result<()> {
    let start = Instant::now();
    assert_eq!(call.send()?.status, 200);
    assert!(start.elapsed() < Duration::from_secs(3), "{call} took {:?}", start.elapsed());
    Ok(())
}

story!(a_port_that_is_used_again_is_no_part_of_the_connection_before, |lab| {
    let mut lab = shop_behind_waypoint(lab).start()?;
    use_the_port(&lab)?;
    lab.label("Service", "reviews", USE_WAYPOINT, "none")?;
    answered_soon(&from_one_port(&lab))
});

story!(a_port_that_is_used_again_without_the_process_is_no_part_of_the_connection_before, |lab| {
    let mut lab = shop_behind_waypoint(lab).start()?;
    use_the_port(&lab)?;
    lab.kill_agent()?;
    answered_soon(&from_one_port(&lab))
});

story!(without_a_waypoint_a_dead_process_changes_nothing, |lab| {
    let mut lab = shop(lab).start()?;
    lab.direct(&lab.from("web").to("reviews"))?;
    lab.kill_agent()?;
    answered_directly(&lab, &lab.from("web").to("reviews"))
});

const ALLOW_ON_REVIEWS: &str = "
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: allow, namespace: shop}
spec:
  targetRefs:
  - {group: '', kind: Service, name: reviews}
  action: ALLOW
  rules:
  - to:
    - operation: {methods: [GET]}
";

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
