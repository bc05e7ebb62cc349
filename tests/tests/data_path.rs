//! The data path in real network namespaces, each story in IPv4 and in IPv6. Needs root.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::{io::ErrorKind, path::Path};

use agent::{Agent, settings};
use mesh::{CLOSED, OPEN, snapshot};
use pod::{Pod, ip};
use waypoint_common::ABI;
use waypoint_user::{
    kernel,
    mesh::{snapshot::Snapshot, workload::Enrolment},
};

#[path = "data_path/agent.rs"]
mod agent;
#[path = "data_path/build.rs"]
mod build;
#[path = "data_path/foreign.rs"]
mod foreign;
#[path = "data_path/mesh.rs"]
mod mesh;
#[path = "data_path/pod.rs"]
mod pod;

#[test]
fn a_captured_connection_keeps_its_destination_and_names_its_pod() {
    let pod = Pod::new(1);
    let agent = Agent::start(1, snapshot(&pod, Enrolment::Enrolled));
    for (vip, own) in OPEN.into_iter().zip([&pod.v4, &pod.v6]) {
        let said = pod.ask(&socket(vip, 80)).unwrap();
        assert_eq!(said, format!("shop/web {own} to {}", socket(vip, 80)));
    }
    assert_eq!(agent.packets("captured"), 2);
    assert!(agent.packets("probe") >= 2);
    assert_eq!(agent.packets("to_unknown"), 0);
    assert_eq!(agent.packets("no_listener"), 0);
}

#[test]
fn a_destination_without_a_waypoint_is_left_alone() {
    let pod = Pod::new(2);
    let agent = Agent::start(2, snapshot(&pod, Enrolment::Enrolled));
    for vip in OPEN {
        let before = agent.packets("miss");
        assert!(pod.ask(&socket(vip, 81)).is_err());
        assert!(agent.packets("miss") > before, "{vip}");
    }
}

#[test]
fn without_the_process_open_destinations_pass_and_closed_ones_are_refused_at_once() {
    let pod = Pod::new(3);
    let mut agent = Agent::start(3, snapshot(&pod, Enrolment::Enrolled));
    agent.stop();
    for (open, closed) in OPEN.into_iter().zip(CLOSED) {
        let before = agent.packets("fail_open");
        assert_ne!(pod.ask(&socket(open, 80)).unwrap_err().kind(), ErrorKind::ConnectionRefused);
        assert!(agent.packets("fail_open") > before, "{open}");
        let before = agent.packets("fail_closed");
        let refusal = pod.ask(&socket(closed, 80)).unwrap_err();
        assert_eq!(refusal.kind(), ErrorKind::ConnectionRefused, "{closed}");
        assert_eq!(agent.packets("fail_closed"), before + 1, "{closed}");
    }
}

#[test]
fn events_are_counted_by_their_reason() {
    let pod = Pod::new(14);
    let agent = Agent::start(14, snapshot(&pod, Enrolment::Enrolled));
    let events = |agent: &Agent, reason| {
        agent.metric(&format!("waypoint_kernel_events_total{{reason=\"{reason}\"}}"))
    };
    assert_eq!(events(&agent, "spoofed"), 0);
    pod.run(|| {
        ip("addr replace 10.211.99.9/32 dev lo").unwrap();
        ip("route replace default dev eth0 src 10.211.99.9").unwrap();
    });
    assert!(pod.ask(&socket(OPEN[0], 80)).is_err());
    agent.wait("an event", |agent| events(agent, "spoofed") > 0);
    assert_eq!(events(&agent, "undecodable"), 0);
    assert_eq!(agent.packets("event_lost"), 0);
}

#[test]
fn a_foreign_source_reaches_no_captured_destination() {
    let pod = Pod::new(4);
    let agent = Agent::start(4, snapshot(&pod, Enrolment::Enrolled));
    pod.run(|| {
        ip("addr replace 10.211.99.9/32 dev lo").unwrap();
        ip("-6 addr replace fd77:99::9/128 dev lo nodad").unwrap();
        ip("route replace default dev eth0 src 10.211.99.9").unwrap();
        ip("-6 route replace default dev eth0 src fd77:99::9").unwrap();
    });
    for vip in OPEN {
        let before = agent.packets("spoofed");
        assert!(pod.ask(&socket(vip, 80)).is_err());
        assert!(agent.packets("spoofed") > before, "{vip}");
    }
}

#[test]
fn unenrolling_stops_new_captures_and_detaches() {
    let pod = Pod::new(5);
    let agent = Agent::start(5, snapshot(&pod, Enrolment::Enrolled));
    let links = |agent: &Agent| {
        std::fs::read_dir(agent.pin_dir().join(format!("v{ABI}/links/from_pod"))).unwrap().count()
    };
    assert_eq!(links(&agent), 2, "the pod's and the probe's");
    agent.publish(snapshot(&pod, Enrolment::NotLabelled));
    agent.wait("detaching", |agent| links(agent) == 1);
    assert!(pod.ask(&socket(OPEN[0], 80)).is_err());
    agent.publish(snapshot(&pod, Enrolment::Enrolled));
    agent.wait("attaching", |agent| links(agent) == 2);
    assert!(pod.ask(&socket(OPEN[0], 80)).is_ok());
}

#[test]
fn a_pod_that_was_made_again_is_found_again() {
    let pod = Pod::new(6);
    let agent = Agent::start(6, snapshot(&pod, Enrolment::Enrolled));
    drop(pod);
    let pod = Pod::new(6);
    agent.wait("capture", |_| pod.ask(&socket(OPEN[0], 80)).is_ok());
    assert!(pod.ask(&socket(OPEN[1], 80)).is_ok());
}

#[test]
fn a_restart_uses_the_same_programs_and_captures_again() {
    let pod = Pod::new(7);
    let mut first = Agent::start(7, snapshot(&pod, Enrolment::Enrolled));
    first.stop();
    let again = first.restart(snapshot(&pod, Enrolment::Enrolled));
    assert!(pod.ask(&socket(OPEN[0], 80)).is_ok());
    assert!(pod.ask(&socket(OPEN[1], 80)).is_ok());
    drop(again);
}

#[test]
fn another_build_replaces_the_programs_in_their_links() {
    let pod = Pod::new(10);
    let mut first = Agent::start(10, snapshot(&pod, Enrolment::Enrolled));
    let before = foreign::programs_on(&pod.link);
    first.stop();
    build::pretend_another_build(first.pin_dir());
    let second = first.restart(snapshot(&pod, Enrolment::Enrolled));
    let after = foreign::programs_on(&pod.link);
    assert_eq!((before.len(), after.len()), (1, 1));
    assert_ne!(before, after);
    for vip in OPEN {
        assert!(pod.ask(&socket(vip, 80)).is_ok());
    }
    assert_eq!(second.packets("no_listener"), 0);
}

#[test]
fn a_foreign_program_ahead_of_ours_is_overtaken() {
    let pod = Pod::new(11);
    let agent = Agent::start(11, snapshot(&pod, Enrolment::Enrolled));
    let own = foreign::programs_on(&pod.link);
    let _foreign = foreign::attach_ahead(&pod.link);
    assert_eq!(foreign::programs_on(&pod.link).len(), 2);
    let series = "waypoint_reattached_total{program=\"from_pod\"}";
    agent.wait("re-attachment", |agent| agent.metric(series) == 1);
    agent.wait("ours alone ahead of the other", |_| {
        let programs = foreign::programs_on(&pod.link);
        programs.len() == 2 && programs[1] != own[0]
    });
    for vip in OPEN {
        assert!(pod.ask(&socket(vip, 80)).is_ok());
    }
}

#[test]
fn a_second_process_is_refused_and_another_data_path_is_not() {
    let pod = Pod::new(12);
    let agent = Agent::start(12, snapshot(&pod, Enrolment::Enrolled));
    let refusal = agent.try_another().unwrap_err().to_string();
    let own = format!("(pid {}) has capture of tunnels false", std::process::id());
    assert!(refusal.contains(&own), "{refusal}");
    let other = Agent::start(13, Snapshot::default());
    assert!(pod.ask(&socket(OPEN[0], 80)).is_ok());
    assert_eq!(other.packets("no_listener"), 0);
}

#[test]
fn the_agents_namespace_is_repaired_when_it_breaks() {
    let pod = Pod::new(8);
    let agent = Agent::start(8, snapshot(&pod, Enrolment::Enrolled));
    ip("link del wpta8d").unwrap();
    agent.wait("capture", |_| pod.ask(&socket(OPEN[0], 80)).is_ok());
    agent.wait("readiness", |agent| agent.readiness.is_ready());
    assert!(pod.ask(&socket(OPEN[1], 80)).is_ok());
    assert!(agent.metric("waypoint_data_path_repairs_total{cause=\"probe\"}") > 0);
}

#[test]
fn cleaning_up_leaves_nothing_behind() {
    let pod = Pod::new(9);
    let before = traces();
    drop(Agent::start(9, snapshot(&pod, Enrolment::Enrolled)));
    assert_eq!(traces(), before);
    assert!(kernel::cleanup(&settings(9)).unwrap().is_empty());
}

/// What a data path of this number leaves on the host.
fn traces() -> (String, bool, bool) {
    let links = ip("-o link show").unwrap();
    let own = links.lines().filter(|line| line.contains("wpta9d")).collect();
    (own, Path::new("/sys/fs/bpf/wpt-a9").exists(), Path::new("/run/wpt-a9").exists())
}

fn socket(vip: &str, port: u16) -> String {
    std::net::SocketAddr::new(vip.parse().unwrap(), port).to_string()
}
