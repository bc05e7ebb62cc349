//! What is told to a process is what it hears.

use clap::Parser;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    load: Load,
}

fn load() -> Load {
    Load {
        shape: Shape::Http1,
        carrier: Carrier::Hbone,
        connect: ([10, 77, 2, 1], 15008).into(),
        host: ([10, 77, 2, 5], 80).into(),
        connections: 64,
        streams: 3,
        rate: 2000,
        path: "/r/0999/bench".to_owned(),
        tenant: Some("t-0999".to_owned()),
        warm_up: 1,
        period: 2,
        credentials: Some("/run/credentials".into()),
        identity: Some("spiffe://cluster.local/ns/bench/sa/waypoint".to_owned()),
        proxy: Some(17),
        backend: 18,
    }
}

#[test]
fn a_load_survives_a_command_line() {
    let bare = Load { tenant: None, credentials: None, identity: None, proxy: None, ..load() };
    for load in [load(), bare] {
        let words = ["client".to_owned()].into_iter().chain(load.arguments());
        let heard = Line::try_parse_from(words).unwrap().load;
        assert_eq!(format!("{heard:?}"), format!("{load:?}"));
    }
}

#[test]
fn only_what_asks_anew_asks_to_close() {
    let request = load().request();
    assert!(request.starts_with("GET /r/0999/bench HTTP/1.1\r\nhost: 10.77.2.5:80\r\n"));
    assert!(request.contains("\r\nx-tenant: t-0999\r\n") && request.ends_with("\r\n\r\n"));
    assert!(!request.contains("connection"));
    let anew = Load { shape: Shape::Fresh, ..load() };
    assert!(anew.request().contains("\r\nconnection: close\r\n"));
}

#[test]
fn what_was_seen_survives_being_told() {
    let seen = Seen { cpu_us: 17.25, p99_us: 400.0, each_kib: 3.5, ..Seen::default() };
    let output = format!("something else\n{}\n", seen.told());
    assert_eq!(format!("{:?}", Seen::read(&output).unwrap()), format!("{seen:?}"));
    assert!(Seen::read("").is_err() && Seen::read("{}").is_err());
}
