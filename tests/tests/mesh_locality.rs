//! Endpoints and waypoints are preferred by where they are, where a Service asks for it.

use std::collections::BTreeSet;

use anyhow::Result;
use waypoint_tests::{
    lab::{Lab, LabBuilder, Object, Pod, Service},
    story,
    story::two_nodes,
};

/// With a server on the client's node beside the one on the waypoint's, and a Service of both.
fn a_server_on_each_node(lab: LabBuilder, reviews: Service) -> LabBuilder {
    two_nodes(lab)
        .pod(Pod::server("shop", "reviews-v2", "reviews").on_node("n1"))
        .agent_arguments(["--capture", "mesh"])
        .service(reviews)
}

fn reviews(distribution: &str) -> Service {
    Service::new("shop", "reviews").annotation(TRAFFIC_DISTRIBUTION, distribution)
}

/// Who answers some requests, each on a connection of its own.
fn answering(lab: &Lab) -> Result<BTreeSet<String>> {
    let call = lab.from("web").to("reviews");
    (0..REQUESTS).map(|_| call.send()?.says("name")).collect()
}

fn only(name: &str) -> BTreeSet<String> {
    BTreeSet::from([name.to_owned()])
}

fn both() -> BTreeSet<String> {
    ["reviews-v1", "reviews-v2"].map(str::to_owned).into()
}

story!(a_waypoint_takes_the_endpoint_of_its_own_node_while_there_is_one, |lab| {
    let mut lab = a_server_on_each_node(lab, reviews("PreferSameNode")).start()?;
    assert_eq!(answering(&lab)?, only("reviews-v1"));
    lab.edit_pod("reviews-v1", |pod| pod.ready(false))?;
    assert_eq!(answering(&lab)?, only("reviews-v2"));
    lab.edit_pod("reviews-v1", |pod| pod.ready(true))?;
    lab.put_service(&reviews("Any"))?;
    assert_eq!(answering(&lab)?, both());
    Ok(())
});

story!(an_agent_takes_the_endpoint_of_the_client_s_node_while_there_is_one, |lab| {
    let alone = |distribution: &str| reviews(distribution).uses("none");
    let mut lab = a_server_on_each_node(lab, alone("PreferSameNode")).start()?;
    assert_eq!(answering(&lab)?, only("reviews-v2"));
    lab.edit_pod("reviews-v2", |pod| pod.ready(false))?;
    assert_eq!(answering(&lab)?, only("reviews-v1"));
    lab.edit_pod("reviews-v2", |pod| pod.ready(true))?;
    lab.put_service(&alone("Any"))?;
    assert_eq!(answering(&lab)?, both());
    Ok(())
});

/// So many that one of two would be missed once in half a million.
const REQUESTS: usize = 20;
const TRAFFIC_DISTRIBUTION: &str = "networking.istio.io/traffic-distribution";
