//! Which waypoint stands before a destination, and when there is none.

use anyhow::Result;
use waypoint_tests::{
    lab::{
        Gateway, Lab, LabBuilder, Namespace, Object, Pod, Service,
        object::{FOR_SERVICE_ACCOUNT, USE_WAYPOINT, USE_WAYPOINT_NAMESPACE},
    },
    story,
    story::{shop, shop_behind_waypoint},
};

/// A refusal is told by `waypointctl analyze` and, once, in the log.
fn is_reported(lab: &Lab, reason: &str) -> Result<()> {
    let report = lab.analyze()?;
    assert!(report.contains(reason), "no {reason} in:\n{report}");
    let log = lab.agent()?.log()?;
    assert_eq!(log.matches(reason).count(), 1, "{reason} in:\n{log}");
    Ok(())
}

story!(a_service_waypoint_beats_the_namespace_waypoint, |lab| {
    let lab = shop_behind_waypoint(lab)
        .gateway(Gateway::new("shop", "special"))
        .pod(Pod::server("shop", "ratings-v1", "ratings"))
        .service(Service::new("shop", "ratings").uses("special"))
        .start()?;
    let visit = lab.through_waypoint(&lab.from("web").to("ratings"))?;
    assert_eq!(visit.logged("waypoint"), "shop/special");
    let visit = lab.through_waypoint(&lab.from("web").to("reviews"))?;
    assert_eq!(visit.logged("waypoint"), "shop/waypoint");
    Ok(())
});

story!(a_service_that_wants_none_has_none, |lab| {
    let mut lab = shop_behind_waypoint(lab).start()?;
    lab.label("Service", "reviews", USE_WAYPOINT, "none")?;
    lab.direct(&lab.from("web").to("reviews"))?;
    lab.unlabel("Service", "reviews", USE_WAYPOINT)?;
    lab.through_waypoint(&lab.from("web").to("reviews"))?;
    Ok(())
});

story!(a_bogus_waypoint_label_does_not_break_traffic, |lab| {
    let lab = shop_behind_waypoint(lab)
        .service(Service::new("shop", "reviews").uses("missing"))
        .start()?;
    lab.direct(&lab.from("web").to("reviews"))?;
    is_reported(&lab, "WaypointIsNotReady")
});

story!(a_waypoint_that_comes_later_takes_over, |lab| {
    let mut lab = shop(lab).service(Service::new("shop", "reviews").uses("late")).start()?;
    lab.direct(&lab.from("web").to("reviews"))?;
    lab.put_gateway(Gateway::new("shop", "late"))?;
    let visit = lab.through_waypoint(&lab.from("web").to("reviews"))?;
    assert_eq!(visit.logged("waypoint"), "shop/late");
    lab.delete("Gateway", "late")?;
    lab.direct(&lab.from("web").to("reviews"))?;
    Ok(())
});

story!(a_waypoint_for_workloads_does_not_take_a_service, |lab| {
    let lab = shop(lab)
        .gateway(Gateway::new("shop", "inner").serving("workload"))
        .service(Service::new("shop", "reviews").uses("inner"))
        .start()?;
    lab.direct(&lab.from("web").to("reviews"))?;
    is_reported(&lab, "UnsupportedTrafficType")
});

story!(a_bogus_waypoint_refuses_where_that_is_asked_for, |lab| {
    let service = Service::new("shop", "reviews").uses("missing").fails("closed");
    let lab = shop(lab).service(service).start()?;
    let refused = lab.from("web").to("reviews").send();
    assert!(refused.is_err(), "{refused:?}");
    assert_eq!(lab.kernel_counter("refused")?, 1);
    Ok(())
});

/// A Service of the namespace `bank` that names the waypoint of `shop`.
fn guest(lab: LabBuilder, gateway: Gateway) -> LabBuilder {
    let service = Service::new("bank", "ledger").uses("waypoint");
    shop(lab)
        .gateway(gateway)
        .namespace(Namespace::new("bank").label("guest", "yes"))
        .pod(Pod::server("bank", "ledger-v1", "ledger"))
        .service(service.label(USE_WAYPOINT_NAMESPACE, "shop"))
}

story!(a_waypoint_for_the_same_namespace_takes_no_guests, |lab| {
    let lab = guest(lab, Gateway::new("shop", "waypoint")).start()?;
    lab.direct(&lab.from("web").to("ledger"))?;
    is_reported(&lab, "AttachmentDenied")
});

story!(a_waypoint_for_all_namespaces_takes_guests, |lab| {
    let lab = guest(lab, Gateway::new("shop", "waypoint").from_all()).start()?;
    let visit = lab.through_waypoint(&lab.from("web").to("ledger"))?;
    assert_eq!(visit.logged("waypoint"), "shop/waypoint");
    Ok(())
});

story!(a_waypoint_for_labelled_namespaces_takes_those_guests, |lab| {
    let gateway = Gateway::new("shop", "waypoint").from_labelled("guest", "yes");
    let mut lab = guest(lab, gateway).start()?;
    lab.through_waypoint(&lab.from("web").to("ledger"))?;
    lab.label("Namespace", "bank", "guest", "no")?;
    lab.direct(&lab.from("web").to("ledger"))?;
    Ok(())
});

story!(a_waypoint_for_services_leaves_pod_addresses_alone, |lab| {
    let lab = shop_behind_waypoint(lab).start()?;
    lab.direct(&lab.from("web").to_pod("reviews-v1"))?;
    lab.through_waypoint(&lab.from("web").to("reviews"))?;
    Ok(())
});

story!(a_waypoint_for_workloads_takes_pod_addresses, |lab| {
    let lab = shop_behind_waypoint(lab)
        .gateway(Gateway::new("shop", "waypoint").serving("workload"))
        .start()?;
    lab.through_waypoint(&lab.from("web").to_pod("reviews-v1"))?;
    lab.direct(&lab.from("web").to("reviews"))?;
    Ok(())
});

story!(a_waypoint_for_all_takes_both, |lab| {
    let lab = shop_behind_waypoint(lab)
        .gateway(Gateway::new("shop", "waypoint").serving("all"))
        .start()?;
    lab.through_waypoint(&lab.from("web").to_pod("reviews-v1"))?;
    lab.through_waypoint(&lab.from("web").to("reviews"))?;
    Ok(())
});

story!(no_connection_passes_two_waypoints, |lab| {
    let lab = shop_behind_waypoint(lab)
        .gateway(Gateway::new("shop", "inner").serving("workload"))
        .pod(Pod::server("shop", "ratings-v1", "ratings").uses("inner"))
        .service(Service::new("shop", "ratings"))
        .start()?;
    let visit = lab.through_waypoint(&lab.from("web").to("ratings"))?;
    assert_eq!(visit.logged("waypoint"), "shop/waypoint");
    let visit = lab.through_waypoint(&lab.from("web").to_pod("ratings-v1"))?;
    assert_eq!(visit.logged("waypoint"), "shop/inner");
    assert_eq!(lab.agent()?.access_log()?.len(), 2);
    Ok(())
});

story!(a_headless_service_is_its_pods, |lab| {
    let mut lab = shop_behind_waypoint(lab)
        .pod(Pod::server("shop", "queue-0", "queue"))
        .service(Service::new("shop", "queue").headless())
        .start()?;
    lab.direct(&lab.from("web").to_pod("queue-0"))?;
    lab.put_gateway(Gateway::new("shop", "waypoint").serving("all"))?;
    lab.through_waypoint(&lab.from("web").to_pod("queue-0"))?;
    Ok(())
});

/// A Gateway that stands for a service account, without a label anywhere.
fn for_account(account: &str) -> Gateway {
    Gateway::new("shop", "of-account").annotation(FOR_SERVICE_ACCOUNT, account)
}

story!(a_waypoint_for_a_service_account_needs_no_label, |lab| {
    let lab = shop(lab)
        .gateway(for_account("reviews"))
        .pod(Pod::server("shop", "reviews-v1", "reviews").account("reviews"))
        .pod(Pod::server("shop", "ratings-v1", "ratings"))
        .service(Service::new("shop", "ratings"))
        .start()?;
    let visit = lab.through_waypoint(&lab.from("web").to("reviews"))?;
    assert_eq!(visit.logged("waypoint"), "shop/of-account");
    let visit = lab.through_waypoint(&lab.from("web").to_pod("reviews-v1"))?;
    assert_eq!(visit.logged("waypoint"), "shop/of-account");
    lab.direct(&lab.from("web").to("ratings"))?;
    lab.direct(&lab.from("web").to_pod("ratings-v1"))?;
    Ok(())
});

story!(a_label_beats_a_waypoint_for_a_service_account, |lab| {
    let mut lab = shop(lab)
        .gateway(for_account("reviews"))
        .pod(Pod::server("shop", "reviews-v1", "reviews").account("reviews"))
        .start()?;
    lab.label("Service", "reviews", USE_WAYPOINT, "waypoint")?;
    let visit = lab.through_waypoint(&lab.from("web").to("reviews"))?;
    assert_eq!(visit.logged("waypoint"), "shop/waypoint");
    lab.label("Service", "reviews", USE_WAYPOINT, "none")?;
    lab.direct(&lab.from("web").to("reviews"))?;
    let visit = lab.through_waypoint(&lab.from("web").to_pod("reviews-v1"))?;
    assert_eq!(visit.logged("waypoint"), "shop/of-account");
    Ok(())
});

story!(a_service_of_several_accounts_has_no_waypoint_of_one, |lab| {
    let lab = shop(lab)
        .gateway(for_account("reviews"))
        .pod(Pod::server("shop", "reviews-v1", "reviews").account("reviews"))
        .pod(Pod::server("shop", "reviews-v2", "reviews").account("other"))
        .start()?;
    lab.direct(&lab.from("web").to("reviews"))?;
    lab.through_waypoint(&lab.from("web").to_pod("reviews-v1"))?;
    lab.direct(&lab.from("web").to_pod("reviews-v2"))?;
    let report = lab.analyze()?;
    for part in
        ["MixedServiceAccounts", "shop/other (shop/reviews-v2)", "shop/reviews (shop/reviews-v1)"]
    {
        assert!(report.contains(part), "no {part} in:\n{report}");
    }
    Ok(())
});

const OF_THE_WAYPOINT: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: moved, namespace: shop}
spec:
  parentRefs: [{name: waypoint}]
  rules:
  - matches: [{path: {type: PathPrefix, value: /old}}]
    filters:
    - type: RequestRedirect
      requestRedirect: {path: {type: ReplaceFullPath, replaceFullPath: /new}}
";

const OF_RATINGS: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: ratings, namespace: shop}
spec:
  parentRefs: [{group: '', kind: Service, name: ratings}]
  rules: [{backendRefs: [{name: ratings, port: 80}]}]
";

story!(a_route_of_a_waypoint_is_in_force_at_services_without_routes_of_their_own, |lab| {
    let mut lab = shop_behind_waypoint(lab)
        .pod(Pod::server("shop", "ratings-v1", "ratings"))
        .service(Service::new("shop", "ratings"))
        .file("waypoint.yaml", OF_THE_WAYPOINT)
        .file("ratings.yaml", OF_RATINGS)
        .start()?;
    let status = |lab: &Lab, service: &str, path: &str| -> Result<u16> {
        let visit = lab.through_waypoint(&lab.from("web").to(service).path(path))?;
        Ok(visit.reply.status)
    };
    assert_eq!(status(&lab, "reviews", "/old/a")?, 302);
    assert_eq!(status(&lab, "reviews", "/other")?, 404);
    assert_eq!(status(&lab, "ratings", "/old/a")?, 200);
    lab.apply("ratings.yaml", &OF_RATINGS.replace("name: ratings}]", "name: other}]"))?;
    assert_eq!(status(&lab, "ratings", "/old/a")?, 302);
    Ok(())
});
