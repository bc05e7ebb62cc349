//! Who is captured: namespaces and pods that enrol and leave, while traffic flows.

use waypoint_tests::{
    lab::{
        Namespace, Object, Pod,
        object::{DATAPLANE_MODE, USE_WAYPOINT},
        wait::{self, SOON},
    },
    story,
    story::{shop, shop_behind_waypoint},
};

story!(a_label_sends_the_next_connection_through_the_waypoint, |lab| {
    let mut lab = shop(lab).start()?;
    let call = lab.from("web").to("reviews");
    let untouched = lab.direct(&call)?;
    assert_eq!(untouched.server_got("x-request-id")?, None);

    lab.label("Namespace", "shop", USE_WAYPOINT, "waypoint")?;
    let visit = lab.through_waypoint(&lab.from("web").to("reviews").path("/a?b=c"))?;
    assert_eq!(visit.reply.says("name")?, "reviews-v1");
    assert_eq!(visit.reply.says("path")?, "/a?b=c");
    assert_eq!(visit.logged("waypoint"), "shop/waypoint");
    assert_eq!(visit.logged("source_workload"), "shop/web");

    lab.unlabel("Namespace", "shop", USE_WAYPOINT)?;
    lab.direct(&lab.from("web").to("reviews"))?;
    Ok(())
});

story!(a_namespace_enrols_and_leaves_while_it_runs, |lab| {
    let mut lab = shop(lab).namespace(Namespace::new("shop").uses("waypoint")).start()?;
    lab.direct(&lab.from("web").to("reviews"))?;
    lab.label("Namespace", "shop", DATAPLANE_MODE, "ambient")?;
    lab.through_waypoint(&lab.from("web").to("reviews"))?;
    lab.unlabel("Namespace", "shop", DATAPLANE_MODE)?;
    lab.direct(&lab.from("web").to("reviews"))?;
    Ok(())
});

story!(a_pod_enrols_by_its_own_label, |lab| {
    let lab = shop(lab)
        .namespace(Namespace::new("shop").uses("waypoint"))
        .pod(Pod::new("shop", "mobile").enrolled())
        .start()?;
    lab.through_waypoint(&lab.from("mobile").to("reviews"))?;
    lab.direct(&lab.from("web").to("reviews"))?;
    Ok(())
});

story!(a_pod_opts_out, |lab| {
    let mut lab = shop_behind_waypoint(lab).pod(Pod::new("shop", "mobile").opted_out()).start()?;
    lab.direct(&lab.from("mobile").to("reviews"))?;
    lab.through_waypoint(&lab.from("web").to("reviews"))?;
    lab.unlabel("Pod", "mobile", DATAPLANE_MODE)?;
    lab.through_waypoint(&lab.from("mobile").to("reviews"))?;
    Ok(())
});

story!(only_destinations_with_a_waypoint_are_captured, |lab| {
    let lab = shop_behind_waypoint(lab)
        .namespace(Namespace::new("bank").enrolled())
        .pod(Pod::server("bank", "ledger-v1", "ledger"))
        .service(waypoint_tests::lab::Service::new("bank", "ledger"))
        .start()?;
    let misses = lab.kernel_counter("miss")?;
    lab.direct(&lab.from("web").to("ledger"))?;
    assert_eq!(lab.kernel_counter("miss")?, misses + 1);
    lab.through_waypoint(&lab.from("web").to("reviews"))?;
    Ok(())
});

story!(leaving_keeps_a_live_connection_captured_until_it_ends, |lab| {
    let mut lab = shop_behind_waypoint(lab).start()?;
    let request = lab.from("web").to("reviews").path("/live").request().clone();
    let mut live = lab.from("web").to("reviews").open()?;
    assert_eq!(live.exchange(&request)?.status, 200);

    lab.unlabel("Namespace", "shop", DATAPLANE_MODE)?;
    let later_packets = lab.kernel_counter("captured_established")?;
    let reply = live.exchange(&request)?;
    assert!(reply.server_got("x-request-id")?.is_some(), "{}", reply.text());
    assert!(lab.kernel_counter("captured_established")? > later_packets);
    wait::until_true("two lines", SOON, || {
        let log = lab.agent()?.access_log()?;
        Ok(log.iter().filter(|line| line["path"] == "/live").count() == 2)
    })?;

    drop(live);
    lab.direct(&lab.from("web").to("reviews"))?;
    Ok(())
});

story!(unbinding_keeps_a_live_connection, |lab| {
    let mut lab = shop_behind_waypoint(lab).start()?;
    let request = lab.from("web").to("reviews").request().clone();
    let mut live = lab.from("web").to("reviews").open()?;
    assert_eq!(live.exchange(&request)?.status, 200);
    lab.unlabel("Namespace", "shop", USE_WAYPOINT)?;
    assert!(live.exchange(&request)?.server_got("x-request-id")?.is_some());
    Ok(())
});

story!(a_connection_that_predates_enrolment_is_left_alone, |lab| {
    let mut lab = shop(lab).start()?;
    let request = lab.from("web").to("reviews").request().clone();
    let mut live = lab.from("web").to("reviews").open()?;
    assert_eq!(live.exchange(&request)?.status, 200);
    lab.label("Namespace", "shop", USE_WAYPOINT, "waypoint")?;
    let reply = live.exchange(&request)?;
    assert_eq!(reply.server_got("x-request-id")?, None, "{}", reply.text());
    lab.through_waypoint(&lab.from("web").to("reviews"))?;
    Ok(())
});

story!(a_client_made_again_with_the_same_address_is_captured_again, |lab| {
    let mut lab = shop_behind_waypoint(lab).start()?;
    lab.through_waypoint(&lab.from("web").to("reviews"))?;
    lab.recreate_pod("web")?;
    lab.through_waypoint(&lab.from("web").to("reviews"))?;
    Ok(())
});

story!(a_server_made_again_with_the_same_address_is_reached_again, |lab| {
    let mut lab = shop_behind_waypoint(lab).start()?;
    lab.through_waypoint(&lab.from("web").to("reviews"))?;
    lab.recreate_pod("reviews-v1")?;
    lab.through_waypoint(&lab.from("web").to("reviews"))?;
    Ok(())
});
