//! The same requests to Envoy, configured as a waypoint of Istio's is, and to ours, in front of the
//! same backend: what clients get and what the backend gets is compared, and every difference is in
//! a table with its reason. One that is in no row is an error, and so is a row that none shows.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{SocketAddr, TcpListener},
};

use anyhow::{Result, ensure};
use waypoint_tests::{
    envoy::{self, Bootstrap, Cluster, Listener},
    lab::{Lab, Object, Pod, Process, Service, object::SERVER_PORT},
    story,
    story::shop_behind_waypoint,
};

use crate::backend::Backend;

#[path = "differential/backend.rs"]
mod backend;
#[path = "differential/cases.rs"]
mod cases;
#[path = "differential/http1.rs"]
mod http1;
#[path = "differential/http2.rs"]
mod http2;
#[path = "differential/message.rs"]
mod message;
#[path = "differential/passed.rs"]
mod passed;
#[path = "differential/refused.rs"]
mod refused;
#[path = "differential/table.rs"]
mod table;

/// What each side got, in lines.
type Lines = BTreeSet<String>;

story!(envoy_and_we_differ_only_where_the_table_says_why, |lab| {
    if let Err(error) = envoy::executable() {
        println!("SKIP: {}", format!("{error:#}").replace('\n', " "));
        return Ok(());
    }
    let lab = shop_behind_waypoint(lab)
        .pod(Pod::new("shop", BACKEND).label("app", "recorder"))
        .service(Service::new("shop", "recorder"))
        .start()?;
    let scene = Scene::set(&lab)?;
    let mut found = BTreeMap::new();
    for case in cases::all() {
        let ask = |stream| http1::ask(stream, case, &scene.client);
        found.insert(case.name, scene.differences(case.answer, ask)?);
    }
    for call in http2::CALLS {
        let ask = |stream| http2::ask(stream, call, &scene.client);
        found.insert(call.name, scene.differences(call.answer, ask)?);
    }
    let complaints = table::complaints(&found);
    ensure!(complaints.is_empty(), "{} complaints\n{}", complaints.len(), complaints.join("\n"));
    Ok(())
});

/// Both proxies in front of the backend.
struct Scene<'l> {
    lab: &'l Lab,
    backend: Backend,
    envoy: SocketAddr,
    client: String,
    _envoy: Process,
}

impl<'l> Scene<'l> {
    fn set(lab: &'l Lab) -> Result<Self> {
        let anywhere = ["0.0.0.0", "::"].map(|any| format!("{any}:{SERVER_PORT}"));
        let listen = || {
            let bind =
                |at: &String| waypoint_tests::shop::listen(at.replace("::", "[::]").parse()?);
            anywhere.iter().map(bind).collect::<Result<Vec<TcpListener>>>()
        };
        let listeners = lab.from(BACKEND).netns()?.within(listen)?;
        for listener in &listeners {
            listener.set_nonblocking(false)?;
        }
        let backend = Backend::serve(listeners);
        let client = lab.pod_address(CLIENT)?.ip();
        let envoy = SocketAddr::new(client, ENVOY_PORT);
        let to = SocketAddr::new(lab.pod_address(BACKEND)?.ip(), SERVER_PORT);
        let bootstrap = Bootstrap::default()
            .listener(Listener::like_a_waypoint(envoy, "recorder"))
            .cluster(Cluster::plain("recorder", to));
        let directory = lab.name().directory().join("envoy");
        let netns = lab.from(CLIENT).netns()?;
        let process = envoy::start(netns, &directory, &bootstrap, &[])?;
        Ok(Self { lab, backend, envoy, client: client.to_string(), _envoy: process })
    }

    /// What differs: lines that only Envoy shows begin with `-`, those that only we show with `+`.
    fn differences(
        &self,
        answer: cases::Answer,
        ask: impl Fn(std::net::TcpStream) -> Result<Lines>,
    ) -> Result<Vec<String>> {
        let from = self.lab.from(CLIENT);
        let shown = |stream| -> Result<Lines> {
            self.backend.expect(answer);
            let client = ask(stream)?;
            let mut lines: Lines = client.iter().map(|line| format!("client: {line}")).collect();
            for (number, request) in self.backend.got().iter().enumerate() {
                let before = if number == 0 { "backend:" } else { "backend, next:" };
                lines.extend(
                    request.lines(&self.client).iter().map(|line| format!("{before} {line}")),
                );
            }
            Ok(lines)
        };
        let theirs = shown(from.to_address(self.envoy).connect()?)?;
        let ours = shown(from.to("recorder").connect()?)?;
        let only = |mark: &str, one: &Lines, other: &Lines| -> Vec<String> {
            one.difference(other).map(|line| format!("{mark} {line}")).collect()
        };
        Ok([only("-", &theirs, &ours), only("+", &ours, &theirs)].concat())
    }
}

/// The pod of the client, and of Envoy.
const CLIENT: &str = "web";
/// The pod of the backend.
const BACKEND: &str = "recorder-0";
const ENVOY_PORT: u16 = 9999;
