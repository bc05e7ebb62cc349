//! Agents as they are in a cluster: nobody tells them where pods are, they are not privileged, and
//! what started them starts them again when they end.

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;
use waypoint_tests::{
    lab::{
        Cgroup, Lab, LabBuilder, Process, command,
        wait::{self, SOON},
    },
    story,
    story::{mesh, none_fails_under_load, two_nodes},
};

/// A uid that no other pod of the machine has.
fn uid() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let (process, number) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    format!("{process:08x}-0000-4000-8000-{number:012x}")
}

/// A process that does nothing, in the control group of a pod and in its network.
// Fields are dropped in this order.
struct Container {
    process: Process,
    pod: Cgroup,
    _all: Cgroup,
}

impl Container {
    fn start(lab: &Lab, pod: &str, uid: &str) -> Result<Self> {
        let all = Cgroup::create(&lab.name().part(pod))?;
        let of_pod = all.of_pod(uid)?;
        let files = (pod, &*lab.name().directory());
        let process = of_pod.start(lab.from(pod).netns()?, files, "sleep", &["1000"])?;
        // The shell is in its group before it becomes the process.
        wait::until_true("a process in the pod's group", SOON, || {
            let group = fs::read_to_string(format!("/proc/{}/cgroup", process.id()))?;
            Ok(group.contains(uid))
        })?;
        Ok(Self { process, pod: of_pod, _all: all })
    }
}

/// How the agent of the client's node reached the waypoint for its last connection.
fn last_hop(lab: &Lab) -> Result<String> {
    let log = lab.agent_on("n1")?.access_log()?;
    let hop = log.iter().rev().find_map(|line| line.get("hop").and_then(Value::as_str));
    hop.map(str::to_owned).context("no hop was logged")
}

/// The client's pod without an annotation, whose agent runs before any process of the pod does.
fn unannounced(lab: LabBuilder) -> Result<(Lab, String)> {
    let mut lab = two_nodes(lab).start()?;
    let uid = uid();
    lab.edit_pod("web", |pod| pod.unannounced(&uid))?;
    Ok((lab, uid))
}

fn carries(lab: &Lab) -> Result<()> {
    wait::until("a captured connection", SOON * 2, || {
        Ok(lab.across(&lab.from("web").to("reviews"), "waypoint").ok())
    })?;
    Ok(())
}

story!(a_pod_that_is_older_than_the_agent_is_found_by_its_processes, |lab| {
    let (mut lab, uid) = unannounced(lab)?;
    lab.agent_on_mut("n1")?.stop()?;
    let _container = Container::start(&lab, "web", &uid)?;
    lab.resume_agent_on("n1")?;
    carries(&lab)
});

story!(a_pod_whose_first_process_comes_late_is_found, |lab| {
    let (lab, uid) = unannounced(lab)?;
    wait::until_true("a word of the pod that is not found", SOON, || {
        Ok(lab.agent_on("n1")?.log()?.contains("none of its processes is seen"))
    })?;
    let _container = Container::start(&lab, "web", &uid)?;
    carries(&lab)
});

story!(a_pod_is_found_again_when_the_process_ends_by_which_it_was_found, |lab| {
    let (lab, uid) = unannounced(lab)?;
    let first = Container::start(&lab, "web", &uid)?;
    carries(&lab)?;
    let files = ("second", &*lab.name().directory());
    let netns = lab.from("web").netns()?;
    let second = first.pod.start(netns, files, "sleep", &["1000"])?;
    first.process.signal(Signal::SIGKILL)?;
    carries(&lab)?;
    drop(second);
    Ok(())
});

story!(a_waypoint_of_the_same_node_is_entered_without_an_annotation, |lab| {
    let mut lab = mesh(lab, "n1").nodes(["n1", "n2"]).start()?;
    let uid = uid();
    let _container = Container::start(&lab, "waypoint", &uid)?;
    lab.edit_pod("waypoint", |pod| pod.unannounced(&uid))?;
    wait::until_true("a connection by the socket of the node", SOON * 2, || {
        lab.across(&lab.from("web").to("reviews"), "waypoint")?;
        Ok(last_hop(&lab)? == "unix")
    })
});

story!(an_agent_without_privileges_carries, |lab| {
    let mut lab = two_nodes(lab).start()?;
    for node in ["n1", "n2"] {
        lab.agent_on_mut(node)?.stop()?;
        let there = lab.node_named(node)?;
        lab.agent_on(node)?.cleanup(&there.netns)?;
        lab.agent_on_mut(node)?.confine();
        lab.resume_agent_on(node)?;
        ensure!(is_confined(lab.agent_on_mut(node)?.process()?.id())?, "{node} is privileged");
    }
    lab.across(&lab.from("web").to("reviews"), "waypoint")?;
    none_fails_under_load(&mut lab, |lab| {
        lab.replace_agent_on("n1")?;
        lab.replace_agent_on("n2")
    })
});

/// Whether a process has the capabilities of the deployment and no other.
fn is_confined(pid: u32) -> Result<bool> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = u64::from_str_radix(effective.context("no CapEff")?.trim(), 16)?;
    Ok(effective == CAPABILITIES.iter().fold(0, |all, number| all | 1_u64 << number))
}

/// `CAP_NET_ADMIN`, `CAP_SYS_PTRACE`, `CAP_SYS_ADMIN`, `CAP_PERFMON`, `CAP_BPF`.
const CAPABILITIES: [u32; 5] = [12, 19, 21, 38, 39];

story!(init_makes_everything_once, |lab| {
    let mut lab = two_nodes(lab).start()?;
    lab.agent_on_mut("n1")?.stop()?;
    let node = lab.node_named("n1")?;
    let agent = lab.agent_on("n1")?;
    agent.cleanup(&node.netns)?;
    let (name, link) = (&agent.settings().name, &agent.settings().link);
    let init = || {
        let [pins, run] = [name.pin_dir(), name.run_dir()].map(|path| path.display().to_string());
        let arguments = ["init", "--pin-dir", &pins, "--run-dir", &run, "--link", link];
        node.netns.run(&command::product("waypointd")?, &arguments)
    };
    let made = init()?;
    for what in ["network namespace", "veth pair", "tcp_fwmark_accept = 1"] {
        ensure!(made.contains(what), "no {what} in: {made}");
    }
    ensure!(Path::new(&name.run_dir()).join("netns/probe").exists(), "no probe");
    let again = init()?;
    ensure!(again.trim() == "everything is there", "{again}");
    Ok(())
});

story!(a_former_agent_that_is_to_wait_does_nothing_until_it_is_asked_to_end, |lab| {
    let mut lab = two_nodes(lab).agent_arguments(["--after-handover", "wait"]).start()?;
    let mut former = lab.succeed_agent_on("n1")?;
    let log = lab.agent_on("n1")?.name().directory().join("waypointd.err");
    wait::until_true("a former agent that rests", SOON * 4, || {
        former.is_alive()?;
        Ok(fs::read_to_string(&log)?.contains("this one waits for its end"))
    })?;
    lab.across(&lab.from("web").to("reviews"), "waypoint")?;
    former.is_alive()?;
    former.signal(Signal::SIGTERM)?;
    let status = former.wait(SOON)?;
    ensure!(status.success(), "it ended with {status}");
    lab.across(&lab.from("web").to("reviews"), "waypoint")?;
    Ok(())
});

/// What exec probes of the deployment hear.
fn probe(socket: &Path, question: &str) -> Result<String> {
    let address = format!("unix:{}", socket.display());
    command::output(&command::product("waypointd")?, &["probe", question, "--status", &address])
}

story!(an_agent_s_own_status_is_there_as_long_as_the_agent, |lab| {
    let mut lab = two_nodes(lab).start()?;
    let socket = lab.name().directory().join("status.sock");
    let agent = lab.agent_on_mut("n1")?;
    agent.stop()?;
    agent.add_arguments(&["--status-listen", &format!("unix:{}", socket.display())])?;
    lab.resume_agent_on("n1")?;
    ensure!(probe(&socket, "live")?.starts_with("live"), "{}", probe(&socket, "live")?);
    ensure!(probe(&socket, "ready")?.starts_with("ready"), "{}", probe(&socket, "ready")?);
    lab.agent_on_mut("n1")?.stop()?;
    let gone = probe(&socket, "ready")?;
    ensure!(gone.contains("nobody answers"), "{gone}");
    Ok(())
});
