//! The network around the pods: bridges, the node's own traffic, forged addresses, other programs
//! on the same links, other agents on the same kernel.

use std::{
    fs, io,
    net::{SocketAddr, UdpSocket},
};

use anyhow::{Context, Result};
use waypoint_tests::{
    lab::{
        Agent, Family, Lab, LabBuilder, Name, Object, Pod,
        agent::Settings,
        wait::{self, SOON},
    },
    story,
    story::shop_behind_waypoint,
};

story!(pods_on_a_bridge_are_captured, |lab| {
    let mut lab = shop_behind_waypoint(lab).bridged().start()?;
    lab.through_waypoint(&lab.from("web").to("reviews"))?;
    lab.direct(&lab.from("web").to_pod("reviews-v1"))?;
    lab.recreate_pod("web")?;
    lab.through_waypoint(&lab.from("web").to("reviews"))?;
    Ok(())
});

story!(a_probe_from_the_node_is_left_alone, |lab| {
    let lab = shop_behind_waypoint(lab).start()?;
    lab.direct(&lab.from_node().to_pod("reviews-v1"))?;
    lab.through_waypoint(&lab.from("web").to("reviews"))?;
    Ok(())
});

story!(datagrams_are_left_alone, |lab| {
    let lab = shop_behind_waypoint(lab).start()?;
    let (web, reviews) = (lab.pod_address("web")?.ip(), lab.pod_address("reviews-v1")?.ip());
    let bind = |pod| move || Ok(UdpSocket::bind(SocketAddr::new(pod, 5353))?);
    let client = lab.from("web").netns()?.within(bind(web))?;
    let server = lab.from("reviews-v1").netns()?.within(bind(reviews))?;
    server.set_read_timeout(Some(SOON))?;
    let not_tcp = lab.kernel_counter("not_tcp")?;
    client.send_to(b"a question", (reviews, 5353))?;
    let mut question = [0; 32];
    let (length, asker) = server.recv_from(&mut question)?;
    assert_eq!((&question[..length], asker.ip()), (&b"a question"[..], web));
    assert!(lab.kernel_counter("not_tcp")? > not_tcp);
    Ok(())
});

story!(a_pod_reaches_itself_through_the_waypoint, |lab| {
    let lab = shop_behind_waypoint(lab).start()?;
    let visit = lab.through_waypoint(&lab.from("reviews-v1").to("reviews"))?;
    assert_eq!(visit.logged("source_workload"), "shop/reviews-v1");
    assert_eq!(visit.logged("destination_workload"), "shop/reviews-v1");
    Ok(())
});

story!(the_data_path_repairs_itself, |lab| {
    let lab = shop_behind_waypoint(lab).start()?;
    lab.through_waypoint(&lab.from("web").to("reviews"))?;
    lab.node().ip(&format!("link del {}\n", lab.agent_settings().link))?;
    wait::until_true("repaired data path", SOON, || {
        let repairs = lab.agent()?.metrics()?.sum("waypoint_data_path_repairs_total", &[]);
        Ok(repairs >= 1.0 && lab.agent()?.ask("/healthz/ready")?.status == 200)
    })?;
    lab.through_waypoint(&lab.from("web").to("reviews"))?;
    Ok(())
});

story!(a_forged_source_address_reaches_nobody, |lab| {
    let lab = shop_behind_waypoint(lab).start()?;
    let (forged, length) = match lab.family() {
        Family::V4 => ("203.0.113.9", 32),
        Family::V6 => ("2001:db8::9", 128),
    };
    lab.from("web").netns()?.ip(&format!("addr add {forged}/{length} dev lo nodad\n"))?;
    let call = lab.from("web").to("reviews").source(forged.parse()?);
    let error = call.connect().err().context("the forged connection was made")?;
    let cause = error.downcast_ref::<io::Error>().map(io::Error::kind);
    assert_eq!(cause, Some(io::ErrorKind::TimedOut), "{error:#}");
    assert!(lab.kernel_counter("spoofed")? >= 1);
    assert_eq!(lab.kernel_counter("captured")?, 0);
    assert!(lab.agent()?.access_log()?.is_empty());
    lab.through_waypoint(&lab.from("web").to("reviews"))?;
    Ok(())
});

story!(agents_of_two_nodes_on_one_kernel_do_not_meet, |lab| {
    let one = shop_behind_waypoint(lab).start()?;
    let mut two = shop_behind_waypoint(Lab::new(one.family()).beside(&one)).start()?;
    for lab in [&one, &two] {
        lab.through_waypoint(&lab.from("web").to("reviews"))?;
        assert_eq!(lab.kernel_counter("captured")?, 1);
    }
    two.kill_agent()?;
    two.cleanup()?;
    one.through_waypoint(&one.from("web").to("reviews"))?;
    Ok(())
});

story!(two_agents_of_one_node_do_not_meet, |lab| {
    let lab = two_clients(lab).start()?;
    let mut second = second_agent(&lab)?;
    let reply = lab.from("mobile").to("reviews").send()?;
    assert!(reply.server_got("x-request-id")?.is_some(), "{}", reply.text());
    assert_eq!(lab.kernel_counter("captured")?, 0);
    assert!(lab.agent()?.access_log()?.is_empty());
    lab.through_waypoint(&lab.from("web").to("reviews"))?;
    assert_eq!(second.access_log()?.len(), 1);

    second.kill()?;
    second.cleanup(lab.node())?;
    lab.through_waypoint(&lab.from("web").to("reviews"))?;
    lab.direct(&lab.from("mobile").to("reviews"))?;
    Ok(())
});

/// Two clients of which the lab's own agent takes only `web`.
fn two_clients(lab: LabBuilder) -> LabBuilder {
    shop_behind_waypoint(lab).pod(Pod::new("shop", "mobile").opted_out())
}

/// An agent beside the lab's own, which takes only `mobile`.
fn second_agent(lab: &Lab) -> Result<Agent> {
    let name = Name::unique();
    let manifests = name.directory().join("manifests");
    fs::create_dir_all(&manifests)?;
    for entry in fs::read_dir(lab.agent()?.settings().manifests.clone())? {
        let entry = entry?;
        let text = fs::read_to_string(entry.path())?;
        let text = if text.contains("name: mobile") {
            text.replace("dataplane-mode: \"none\"", "dataplane-mode: \"ambient\"")
        } else {
            text.replace(
                "  name: web\n",
                "  name: web\n  labels: {istio.io/dataplane-mode: none}\n",
            )
        };
        fs::write(manifests.join(entry.file_name()), text)?;
    }
    let (link, table) = ("wpd1".to_owned(), "waypoint-1".to_owned());
    let settings = lab.agent_settings();
    let own = Settings { manifests, name, link, table, service_vips: false, ..settings };
    Agent::start(lab.node(), own)
}
