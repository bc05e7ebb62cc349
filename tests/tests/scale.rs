//! Many objects: a change costs what it changes.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::Result;
use waypoint_tests::{
    lab::{
        Addresses, Object, Service,
        wait::{self, SOON},
    },
    story,
    story::shop_behind_waypoint,
};

story!(one_of_a_thousand_services_changes_alone, |lab| {
    let mut lab = shop_behind_waypoint(lab).file("many.yaml", &many(None)).start()?;
    let family = lab.family();
    let address = |n: u16| SocketAddr::new(Addresses::of_service(FIRST + n).of(family), 80);
    for n in [0, CHANGED, COUNT - 1] {
        lab.through_waypoint(&lab.from("web").to_address(address(n)))?;
    }
    let request = lab.from("web").to_address(address(CHANGED)).request().clone();
    let mut live = lab.from("web").to_address(address(CHANGED)).open()?;
    assert_eq!(live.exchange(&request)?.status, 200);

    let start = Instant::now();
    lab.apply("many.yaml", &many(Some(CHANGED)))?;
    let took = start.elapsed();
    assert!(took < Duration::from_secs(2), "the change was in force after {took:?}");
    lab.direct(&lab.from("web").to_address(address(CHANGED)))?;
    for n in [0, CHANGED - 1, CHANGED + 1, COUNT - 1] {
        lab.through_waypoint(&lab.from("web").to_address(address(n)))?;
    }
    assert!(live.exchange(&request)?.server_got("x-request-id")?.is_some());
    Ok(())
});

story!(hundreds_of_connections_at_once_are_all_captured, |lab| {
    let lab = shop_behind_waypoint(lab).start()?;
    let call = lab.from("web").to("reviews");
    let mut all = (0..CONNECTIONS).map(|_| call.open()).collect::<Result<Vec<_>>>()?;
    assert_eq!(lab.kernel_counter("captured")?, CONNECTIONS);
    for connection in &mut all {
        connection.send(call.request())?;
    }
    for connection in &mut all {
        assert_eq!(connection.finish()?.status, 200);
    }
    drop(all);
    wait::until_true("a line for each", SOON, || {
        Ok(u64::try_from(lab.agent()?.access_log()?.len())? == CONNECTIONS)
    })?;
    lab.wait_for_sum("istio_requests_total", &[("response_code", "200")], CONNECTIONS)
});

/// A thousand Services in front of `reviews`, of which one may want no waypoint.
fn many(without: Option<u16>) -> String {
    let service = |n: u16| {
        let service = Service::new("shop", &format!("many-{n}")).app("reviews");
        let service = if without == Some(n) { service.uses("none") } else { service };
        service.manifest(Addresses::of_service(FIRST + n)).to_string()
    };
    (0..COUNT).map(service).collect::<Vec<_>>().join("---\n")
}

const CONNECTIONS: u64 = 400;
const COUNT: u16 = 1000;
const CHANGED: u16 = 500;
const FIRST: u16 = 2000;
