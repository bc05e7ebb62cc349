//! `lab`: the shop, left standing to play in.

#![forbid(unsafe_code)]

use std::{ffi::OsString, path::Path};

use anyhow::Result;
use clap::Parser;
use nix::sys::signal::{SigSet, Signal};
use waypoint_tests::lab::{Family, Gateway, Lab, Namespace, Object, Pod, Service};

/// A node with a small shop, `waypointd standalone` on it, and a cheat sheet; ends with Ctrl-C.
#[derive(Parser)]
struct Arguments {
    /// Pods on a Linux bridge instead of routed veths.
    #[arg(long)]
    bridged: bool,
    /// Without waypointd; the sheet says how to start it.
    #[arg(long)]
    no_agent: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let signals: SigSet = [Signal::SIGINT, Signal::SIGTERM].into_iter().collect();
    signals.thread_block()?;
    let mut shop = SERVERS.iter().fold(shop(), |lab, (app, version)| {
        let pod = Pod::server("shop", &format!("{app}-{version}"), app);
        lab.pod(pod.label("version", version)).service(Service::new("shop", app))
    });
    if arguments.bridged {
        shop = shop.bridged();
    }
    if arguments.no_agent {
        shop = shop.without_agent();
    }
    let lab = shop.start()?;
    println!("{}", cheat_sheet(&lab)?);
    signals.wait()?;
    println!("removing the lab");
    Ok(())
}

fn shop() -> waypoint_tests::lab::LabBuilder {
    Lab::new(Family::V4)
        .namespace(Namespace::new("shop").enrolled())
        .gateway(Gateway::new("shop", "waypoint"))
        .pod(Pod::new("shop", "web"))
}

fn cheat_sheet(lab: &Lab) -> Result<String> {
    let directory = lab.name().directory();
    let settings = lab.agent_settings();
    let (files, admin) = (settings.manifests.clone(), settings.admin());
    let (files, admin, logs) = (files.display(), admin.display(), directory.display());
    let node = inside(&lab.node().path());
    let web = inside(&lab.from("web").netns()?.path());
    let reviews = lab.from("web").to("reviews").url()?;
    let agent: Vec<_> = settings.arguments().into_iter().map(OsString::into_string).collect();
    let agent = agent.into_iter().flatten().collect::<Vec<_>>().join(" ");
    Ok(format!(
        "
The lab {name} stands; Ctrl-C removes it.

  call reviews from the pod web
    {web} curl -s {reviews}
  put the namespace behind its waypoint, while it runs
    sed -i 's,^  labels:,&\\n    istio.io/use-waypoint: waypoint,' \\
      {files}/namespace--shop.yaml
  see what is captured
    curl -s --unix-socket {admin} http://admin/metrics | grep ^waypoint_
  see what is enforced
    curl -s --unix-socket {admin} http://admin/config_dump
  follow requests, and the log
    tail -f {logs}/waypointd.out {logs}/waypointd.err
  look at the node
    {node} ip -br link
  change anything
    ls {files}
  start waypointd by hand
    {node} waypointd {agent}
",
        name = lab.name()
    ))
}

fn inside(namespace: &Path) -> String {
    format!("nsenter --net={}", namespace.display())
}

const SERVERS: &[(&str, &str)] = &[
    ("catalog", "v1"),
    ("reviews", "v1"),
    ("reviews", "v2"),
    ("reviews", "v3"),
    ("ratings", "v1"),
];
