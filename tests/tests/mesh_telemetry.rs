//! What the nodes tell of the connections that they carried: lines with ztunnel's fields,
//! and Istio's metrics.

use std::io::{BufRead, BufReader, Write};

use anyhow::{Result, ensure};
use serde_json::Value;
use waypoint_tests::{
    lab::{
        Lab, LabBuilder, Object, Pod, Service,
        wait::{self, SOON},
    },
    shop::Protocol,
    story,
    story::mesh,
};

/// With a mail server on `n2`: its connections end with their clients', so lines come at once.
fn with_mail(lab: LabBuilder, waypoint_on: &str) -> LabBuilder {
    let mail = Pod::new("shop", "mail-0").label("app", "mail").serves(Protocol::Banner, 2525);
    mesh(lab, waypoint_on)
        .pod(mail.on_node("n2"))
        .service(Service::new("shop", "mail").port("tcp-post", 25, 2525))
}

/// Says hello and good-bye.
fn post(lab: &Lab) -> Result<()> {
    let stream = lab.from("web").to("mail").connect()?;
    (&stream).write_all(b"hello\r\nQUIT\r\n")?;
    let lines: Vec<_> = BufReader::new(stream).lines().collect::<std::io::Result<_>>()?;
    ensure!(lines == ["220 mail-0 ready", "mail-0: hello", "mail-0: QUIT"], "{lines:?}");
    Ok(())
}

/// A node's line about a connection in a direction.
fn line(lab: &Lab, node: &str, direction: &str) -> Result<Value> {
    lab.agent_on(node)?.wait_for_line(direction, 0, |line| is(line, "direction", direction))
}

fn is(line: &Value, field: &str, wanted: &str) -> bool {
    line.get(field).and_then(Value::as_str) == Some(wanted)
}

fn says(line: &Value, fields: &[(&str, &str)]) -> Result<()> {
    for (field, wanted) in fields {
        ensure!(is(line, field, wanted), "{field} is not {wanted} in {line}");
    }
    Ok(())
}

story!(both_nodes_log_what_they_carried, |lab| {
    let lab = with_mail(lab, "n3").start()?;
    post(&lab)?;
    let (web, waypoint) = (lab.identity_of("web")?, lab.identity_of("waypoint")?);
    let mail = lab.identity_of("mail-0")?;
    says(
        &line(&lab, "n1", "outbound")?,
        &[
            ("message", "connection complete"),
            ("src.workload", "web"),
            ("src.identity", &web),
            ("dst.identity", &waypoint),
            ("waypoint", "shop/waypoint"),
            ("hop", "hbone"),
        ],
    )?;
    says(
        &line(&lab, "n2", "inbound")?,
        &[
            ("message", "connection complete"),
            ("src.workload", "waypoint"),
            ("src.identity", &waypoint),
            ("dst.workload", "mail-0"),
            ("dst.identity", &mail),
            ("client.identity", &web),
        ],
    )
});

story!(the_hop_to_a_waypoint_of_the_same_node_is_local, |lab| {
    let lab = with_mail(lab, "n1").start()?;
    post(&lab)?;
    says(&line(&lab, "n1", "outbound")?, &[("src.workload", "web"), ("hop", "unix")])
});

story!(a_refused_connection_is_logged_where_it_was_refused, |lab| {
    let lab = with_mail(lab, "n3").file("nobody.yaml", NOBODY).start()?;
    assert!(post(&lab).is_err());
    let line = line(&lab, "n2", "inbound")?;
    says(&line, &[("message", "connection failed"), ("dst.workload", "mail-0")])?;
    assert!(!is(&line, "error", "-"), "{line}");
    Ok(())
});

story!(both_nodes_count_whom_they_carried, |lab| {
    let lab = with_mail(lab, "n3").start()?;
    post(&lab)?;
    let (web, waypoint) = (lab.identity_of("web")?, lab.identity_of("waypoint")?);
    let mail = lab.identity_of("mail-0")?;
    for (node, reporter, source, destination) in
        [("n1", "source", &web, &waypoint), ("n2", "destination", &waypoint, &mail)]
    {
        let labels = [
            ("reporter", reporter),
            ("source_principal", source),
            ("destination_principal", destination),
            ("connection_security_policy", "mutual_tls"),
        ];
        for family in ["istio_tcp_connections_opened_total", "istio_tcp_connections_closed_total"] {
            wait::until_true(&format!("{family} {labels:?} of {node}"), SOON, || {
                Ok(lab.agent_on(node)?.metrics()?.sum(family, &labels) >= 1.0)
            })?;
        }
    }
    Ok(())
});

const NOBODY: &str = "
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: nobody, namespace: shop}
spec:
  selector: {matchLabels: {app: mail}}
  action: ALLOW
  rules:
  - from:
    - source: {principals: [cluster.local/ns/shop/sa/nobody]}
";
