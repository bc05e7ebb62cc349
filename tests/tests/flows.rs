//! Connections that nobody carries are seen all the same.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use waypoint_tests::{
    lab::{
        Agent, Cgroup, Lab, LabBuilder, Metrics, Process, command,
        wait::{self, SOON},
    },
    story,
    story::{shop, shop_behind_waypoint},
};

/// A lab whose pods' connections are watched.
// Fields are dropped in this order.
struct Watched {
    _server: Process,
    agent: Agent,
    cgroup: Cgroup,
    lab: Lab,
}

/// A port of `reviews-v1` on which a server of the cgroup listens.
const PORT: u16 = 9999;

impl Watched {
    fn start(lab: LabBuilder) -> Result<Self> {
        let lab = lab.without_agent().start()?;
        let cgroup = Cgroup::create(lab.name())?;
        let mut settings = lab.agent_settings();
        settings.cgroup = Some(cgroup.path().to_owned());
        let agent = Agent::start(lab.node(), settings)?;
        let shop = command::product("waypoint-shop")?;
        let any = [format!("0.0.0.0:{PORT}"), format!("[::]:{PORT}")];
        let arguments = ["serve", "--name", "watched", "--protocol", "http"];
        let arguments = [&arguments[..], &["--listen", &any[0], "--listen", &any[1]]].concat();
        let netns = lab.from("reviews-v1").netns()?;
        let files = ("watched", &*lab.name().directory());
        let program = shop.to_str().context("a path")?;
        let mut server = cgroup.start(netns, files, program, &arguments)?;
        server.wait_for("listening on")?;
        Ok(Self { _server: server, agent, cgroup, lab })
    }

    /// A request from `web`, by a process of the cgroup.
    fn curl(&self, url: &str) -> Result<String> {
        let web = self.lab.from("web").netns()?;
        self.cgroup.run(web, "curl", &["-sS", "-g", "--max-time", "5", url])
    }

    fn pod_url(&self) -> Result<String> {
        let mut address = self.lab.pod_address("reviews-v1")?;
        address.set_port(PORT);
        Ok(format!("http://{address}/"))
    }

    /// What `waypointctl observe` prints.
    fn observe(&self, arguments: &[&str]) -> Result<Process> {
        let program = command::product("waypointctl")?;
        let admin = format!("unix:{}", self.agent.settings().admin().display());
        let all = [&["observe", "--admin", &admin][..], arguments].concat();
        let process = Process::start(
            self.lab.node(),
            "observe",
            &self.lab.name().directory(),
            &program,
            &all,
        )?;
        wait::until_true("listener", SOON, || {
            Ok(self.agent.metrics()?.sum("waypoint_flow_listeners", &[]) > 0.0)
        })?;
        Ok(process)
    }

    /// The first line of JSON that fits.
    fn observed(&self, fits: impl Fn(&Value) -> bool) -> Result<Value> {
        let file = self.lab.name().directory().join("observe.out");
        wait::until("observed connection", SOON, || {
            let text = std::fs::read_to_string(&file)?;
            let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            Ok(lines.into_iter().find(|line| fits(line)))
        })
    }

    fn until(&self, what: &str, holds: impl Fn(&Metrics) -> bool) -> Result<()> {
        wait::until_true(what, SOON, || Ok(holds(&self.agent.metrics()?)))
    }
}

story!(a_direct_connection_is_counted_at_both_ends, |lab| {
    let watched = Watched::start(shop(lab))?;
    let url = watched.pod_url()?;
    ensure!(watched.curl(&url)?.contains("watched"));
    let source = [("reporter", "source"), ("source_workload", "web")];
    let destination = [("reporter", "destination"), ("destination_workload", "reviews-v1")];
    let closed = "istio_tcp_connections_closed_total";
    watched.until("closed connections", |metrics| {
        metrics.sum(closed, &source) >= 1.0 && metrics.sum(closed, &destination) >= 1.0
    })?;
    let metrics = watched.agent.metrics()?;
    for labels in [source, destination] {
        assert!((metrics.sum("istio_tcp_connections_opened_total", &labels) - 1.0).abs() < 0.1);
        let sent = metrics.sum("istio_tcp_sent_bytes_total", &labels);
        let received = metrics.sum("istio_tcp_received_bytes_total", &labels);
        assert!(sent > 50.0 && received > 50.0, "{sent} {received}");
    }
    for bytes in ["istio_tcp_sent_bytes_total", "istio_tcp_received_bytes_total"] {
        let (here, there) = (metrics.sum(bytes, &source), metrics.sum(bytes, &destination));
        assert!((here - there).abs() < 0.1, "{bytes}: {here} at the client, {there} at the server");
    }
    Ok(())
});

story!(observe_shows_a_connection_as_it_happens, |lab| {
    let watched = Watched::start(shop(lab))?;
    let _observe = watched.observe(&["--pod", "web", "-o", "json"])?;
    watched.curl(&watched.pod_url()?)?;
    let line =
        watched.observed(|line| line["event"] == "closed" && line["reporter"] == "source")?;
    assert_eq!(line["source"]["pod"], "shop/web");
    assert_eq!(line["destination"]["pod"], "shop/reviews-v1");
    assert_eq!(line["path"], "direct");
    assert!(line["bytes_sent"].as_u64() > Some(50), "{line}");
    assert!(line["bytes_received"].as_u64() > Some(50), "{line}");
    assert!(line["rtt_us"].as_u64() > Some(0) && line["duration_us"].as_u64() > Some(0), "{line}");
    Ok(())
});

story!(observe_says_which_waypoint_took_a_connection, |lab| {
    let watched = Watched::start(shop_behind_waypoint(lab))?;
    let _observe = watched.observe(&["--service", "reviews", "-o", "json"])?;
    watched.curl(&format!("http://{}/", watched.lab.service_address("reviews")?))?;
    let line = watched.observed(|line| line["event"] == "closed")?;
    assert_eq!((&line["path"], &line["waypoint"]), (&"waypoint".into(), &"shop/waypoint".into()));
    let metrics = watched.agent.metrics()?;
    let source = [("reporter", "source"), ("source_workload", "web")];
    let counted = metrics.sum("istio_tcp_connections_opened_total", &source);
    assert!(counted.abs() < 0.1, "the engine counts what it carries, and counted {counted}");
    Ok(())
});
