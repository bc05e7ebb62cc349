//! nginx' configuration.

use super::{File, Protocol, Routes, Scene, file_of, path_of, path_of_rule, tenant_of};
use crate::bench::l7::load::TENANT;

/// Its files; it is started with `nginx.conf`. It speaks HTTP/1.1 to backends, and nothing else.
pub fn files(scene: &Scene) -> Vec<File> {
    let file = |name| file_of(&scene.folder, name);
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary = temporary.map(|name| format!("    {name}_temp_path {};\n", file(name)));
    let text = format!(
        "\
daemon off;
master_process off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid {};
error_log {} warn;
events {{
    worker_connections 19000;
}}
http {{
{}{}    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    proxy_http_version 1.1;
    proxy_set_header Connection \"\";
    proxy_set_header Host $host;
    proxy_max_temp_file_size 0;
    upstream backend {{
        server {};
        keepalive 1024;
        keepalive_requests 1000000000;
        keepalive_timeout 1h;
    }}
{}    server {{
        listen {}{};
{}{}    }}
}}
",
        file("nginx.pid"),
        file("error.log"),
        temporary.concat(),
        access_log(scene),
        scene.backend,
        maps(scene),
        scene.listen,
        door(scene),
        tls(scene),
        locations(scene),
    );
    vec![("nginx.conf", text)]
}

fn access_log(scene: &Scene) -> String {
    if !scene.is_dressed {
        return "    access_log off;\n".to_owned();
    }
    let file = file_of(&scene.folder, "access.log");
    format!(
        "    log_format line escape=json '{LINE}';\n    access_log {file} line buffer=64k \
         flush=1s;\n"
    )
}

fn door(scene: &Scene) -> &'static str {
    match (scene.credentials.is_some(), scene.protocols.0) {
        (true, _) => " ssl",
        (false, Protocol::Http1) => "",
        (false, Protocol::Http2) => " http2",
    }
}

fn tls(scene: &Scene) -> String {
    let Some(folder) = &scene.credentials else { return String::new() };
    let [chain, key, root] = ["chain.pem", "key.pem", "root.pem"].map(|name| file_of(folder, name));
    let lines = [
        format!("ssl_certificate {chain};"),
        format!("ssl_certificate_key {key};"),
        format!("ssl_client_certificate {root};"),
        "ssl_verify_client on;".to_owned(),
        "ssl_verify_depth 2;".to_owned(),
        "ssl_protocols TLSv1.3;".to_owned(),
        "ssl_session_tickets off;".to_owned(),
        "ssl_session_cache off;".to_owned(),
    ];
    lines.iter().fold(String::new(), |all, line| all + "        " + line + "\n")
}

/// The tables of what cannot be told by location.
fn maps(scene: &Scene) -> String {
    let mut text = String::new();
    if let Routes::Headers(count) = scene.routes {
        text += "    map_hash_max_size 8192;\n    map_hash_bucket_size 64;\n";
        text.extend(["    map $http_", &TENANT.replace('-', "_"), " $to {\n"]);
        text += "        default \"\";\n";
        text.extend((0..count).map(|route| format!("        {} backend;\n", tenant_of(route))));
        text += "    }\n";
    }
    if scene.rules > 0 {
        text += "    map \"$request_method $uri\" $allowed {\n        default 0;\n";
        let rules = 0..scene.rules;
        text.extend(rules.map(|rule| format!("        \"~^GET {}\" 1;\n", path_of_rule(rule))));
        text += "    }\n";
    }
    text
}

fn locations(scene: &Scene) -> String {
    let location = |prefix: &str, rest: &str| {
        format!("        location {prefix} {{\n            {rest}\n        }}\n")
    };
    let pass = "proxy_pass http://backend;";
    match scene.routes {
        Routes::Paths(count) => {
            let each = (0..count).map(|route| location(&format!("{}/", path_of(route)), pass));
            each.collect()
        }
        Routes::Headers(_) => {
            location("/", "if ($to = \"\") { return 404; }\n            proxy_pass http://$to;")
        }
        Routes::None if scene.is_dressed => {
            let guarded = format!("limit_except GET {{ deny all; }}\n            {pass}");
            location("/bench", &guarded) + &location("/", "return 404;")
        }
        Routes::None if scene.rules > 0 => {
            location("/", &format!("if ($allowed = 0) {{ return 403; }}\n            {pass}"))
        }
        Routes::None => location("/", pass),
    }
}

/// A line of the access log.
const LINE: &str = "{\"start_time\":\"$time_iso8601\",\"method\":\"$request_method\",\"path\":\
                    \"$request_uri\",\"protocol\":\"$server_protocol\",\"authority\":\"$host\",\
                    \"user_agent\":\"$http_user_agent\",\"response_code\":$status,\
                    \"bytes_received\":$request_length,\"bytes_sent\":$bytes_sent,\"duration\":\
                    $request_time,\"upstream_host\":\"$upstream_addr\",\
                    \"downstream_remote_address\":\"$remote_addr:$remote_port\",\
                    \"downstream_local_address\":\"$server_addr:$server_port\"}";
