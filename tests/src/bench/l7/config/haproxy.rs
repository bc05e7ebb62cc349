//! HAProxy's configuration.
//!
//! Routes are looked up in a map, as its manual advises for many; rules are a list, as they ask for
//! more than one thing each.

use super::{File, Protocol, Routes, Scene, file_of, path_of, path_of_rule, tenant_of};
use crate::bench::l7::load::TENANT;

/// Its files; it is started with `haproxy.cfg`.
pub fn files(scene: &Scene) -> Vec<File> {
    let log = if scene.is_dressed { "    log stdout format raw local0\n" } else { "" };
    let text = format!(
        "\
global
    nbthread 1
    maxconn {CONNECTIONS_MAX}
    no strict-limits
{log}
defaults
    mode http
    http-reuse always
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    timeout http-keep-alive 1h

frontend front
    bind {}{}
{}
backend backend
    server backend {}{}
",
        scene.listen,
        door(scene),
        frontend(scene),
        scene.backend,
        proto(scene.protocols.1),
    );
    let map = map(scene).map(|text| ("routes.map", text));
    [("haproxy.cfg", text)].into_iter().chain(map).collect()
}

/// What is said of the door.
fn door(scene: &Scene) -> String {
    let Some(folder) = &scene.credentials else { return proto(scene.protocols.0).to_owned() };
    let (own, root) = (file_of(folder, "both.pem"), file_of(folder, "root.pem"));
    format!(
        " ssl crt {own} ca-file {root} verify required ssl-min-ver TLSv1.3 no-tls-tickets alpn \
         http/1.1"
    )
}

fn proto(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Http1 => "",
        Protocol::Http2 => " proto h2",
    }
}

fn frontend(scene: &Scene) -> String {
    let mut lines = Vec::new();
    if scene.is_dressed {
        lines.push("log global".to_owned());
        lines.push(format!("log-format '{LINE}'"));
        lines.push("http-request deny unless METH_GET { path_beg /bench }".to_owned());
    }
    for rule in 0..scene.rules {
        let path = path_of_rule(rule);
        lines.push(format!("http-request allow if METH_GET {{ path_beg {path} }}"));
    }
    if scene.rules > 0 {
        lines.push("http-request deny".to_owned());
    }
    let file = file_of(&scene.folder, "routes.map");
    lines.push(match scene.routes {
        Routes::Paths(_) => format!("use_backend %[path,map_beg({file})]"),
        Routes::Headers(_) => format!("use_backend %[req.hdr({TENANT}),map_str({file})]"),
        Routes::None if scene.is_dressed => "use_backend backend if { path_beg /bench }".to_owned(),
        Routes::None => "default_backend backend".to_owned(),
    });
    lines.iter().fold(String::new(), |all, line| all + "    " + line + "\n")
}

fn map(scene: &Scene) -> Option<String> {
    let keys: Vec<String> = match scene.routes {
        Routes::None => return None,
        Routes::Paths(count) => (0..count).map(path_of).collect(),
        Routes::Headers(count) => (0..count).map(tenant_of).collect(),
    };
    Some(keys.iter().fold(String::new(), |all, key| all + key + " backend\n"))
}

/// A line of the access log.
const LINE: &str = "{\"start_time\":\"%tr\",\"method\":\"%HM\",\"path\":\"%HP\",\"protocol\":\
                    \"%HV\",\"response_code\":%ST,\"response_flags\":\"%tsc\",\"bytes_received\":\
                    %U,\"bytes_sent\":%B,\"duration\":%Ta,\"upstream_host\":\"%si:%sp\",\
                    \"upstream_cluster\":\"%b\",\"downstream_remote_address\":\"%ci:%cp\",\
                    \"downstream_local_address\":\"%fi:%fp\"}";
/// With those to the backend, as many as there may be files.
const CONNECTIONS_MAX: usize = 11_000;
