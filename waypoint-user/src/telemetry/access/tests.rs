use std::{
    sync::{Arc, Mutex, mpsc},
    time::UNIX_EPOCH,
};

use http::{HeaderValue, Method};

use super::{timestamp::Timestamp, *};

#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn entry() -> Box<Entry> {
    let time = UNIX_EPOCH + Duration::from_millis(951_782_400_123);
    Box::new(Entry::new(time, "10.0.0.1:5".parse().unwrap(), "[fd00::1]:80".parse().unwrap()))
}

#[test]
fn a_line_has_istios_fields_and_a_dash_for_what_is_empty() {
    let page = Page::default();
    let log = AccessLog::start(page.clone(), &Registry::new()).unwrap();
    let mut full = entry();
    full.method = Some(Method::GET);
    full.response_code = 503;
    full.response_flags = Some("UH");
    full.duration = Duration::from_micros(1_999);
    full.user_agent = Some(HeaderValue::from_bytes(b"a \"quoted\" agent\t\xff").unwrap());
    log.record(full);
    assert!(log.flush(Duration::from_secs(10)));
    let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
    assert_eq!(text.lines().count(), 1);
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    let expected = serde_json::json!({
        "start_time": "2000-02-29T00:00:00.123Z", "route_name": "-", "method": "GET", "path": "-",
        "protocol": "-", "response_code": 503, "response_flags": "UH",
        "response_code_details": "-", "connection_termination_details": "-",
        "bytes_received": 0, "bytes_sent": 0, "duration": 1, "upstream_service_time": "-",
        "x_forwarded_for": "-", "user_agent": "a \"quoted\" agent\t\u{fffd}", "request_id": "-",
        "authority": "-", "upstream_host": "-", "upstream_cluster": "-",
        "upstream_local_address": "-", "downstream_local_address": "[fd00::1]:80",
        "downstream_remote_address": "10.0.0.1:5", "requested_server_name": "-",
        "upstream_transport_failure_reason": "-", "source_workload": "-",
        "source_principal": "-", "destination_service": "-", "destination_workload": "-",
        "blame": "-", "waypoint": "-",
    });
    assert_eq!(line, expected);
}

#[test]
fn a_connection_that_was_carried_has_ztunnels_fields() {
    let page = Page::default();
    let log = AccessLog::start(page.clone(), &Registry::new()).unwrap();
    let (client, server) = ("10.0.0.1:5".parse().unwrap(), "10.96.0.2:80".parse().unwrap());
    let mut flow = Flow::new(UNIX_EPOCH, Direction::Outbound, client, server);
    flow.source.workload = Some(("web-1".to_owned(), "shop".to_owned()));
    flow.source.identity = Some("spiffe://cluster.local/ns/shop/sa/web".to_owned());
    flow.hbone_address = Some("10.1.0.9:15008".parse().unwrap());
    flow.opened = true;
    flow.hop = Some("hbone");
    log.record_flow(Box::new(flow));
    assert!(log.flush(Duration::from_secs(10)));
    let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    let expected = serde_json::json!({
        "start_time": "1970-01-01T00:00:00.000Z", "message": "connection complete",
        "direction": "outbound", "src.addr": "10.0.0.1:5", "src.workload": "web-1",
        "src.namespace": "shop", "src.identity": "spiffe://cluster.local/ns/shop/sa/web",
        "dst.addr": "10.96.0.2:80", "dst.hbone_addr": "10.1.0.9:15008", "dst.service": "-",
        "dst.workload": "-", "dst.namespace": "-", "dst.identity": "-", "bytes_sent": 0,
        "bytes_recv": 0, "duration": 0, "error": "-", "response_flags": "-", "waypoint": "-",
        "hop": "hbone", "client.identity": "-",
    });
    assert_eq!(line, expected);
}

/// An output that takes nothing until it is let go.
struct Stuck(Receiver<()>);

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.0.recv();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_stuck_output_drops_lines_and_counts_them() {
    let registry = Registry::new();
    let (release, stuck) = mpsc::channel();
    let log = AccessLog::start(Stuck(stuck), &registry).unwrap();
    let surplus = 3 + BATCH_BYTES / 100;
    for _ in 0..QUEUE_LINES_MAX + surplus {
        log.record(entry());
    }
    let text = registry.encode();
    let line = "waypoint_limit_hits_total{limit=\"access_log_queue\"} ";
    let hits = text.lines().find_map(|l| l.strip_prefix(line)).unwrap();
    assert!(hits.parse::<usize>().unwrap() >= 3, "{hits}");
    drop(release);
}

#[test]
fn times_are_shown_in_utc() {
    let cases = [
        (0, "1970-01-01T00:00:00.000Z"),
        (951_868_799, "2000-02-29T23:59:59.000Z"),
        (951_868_800, "2000-03-01T00:00:00.000Z"),
        (1_735_689_599, "2024-12-31T23:59:59.000Z"),
        (4_107_542_400, "2100-03-01T00:00:00.000Z"),
    ];
    for (seconds, text) in cases {
        assert_eq!(Timestamp(UNIX_EPOCH + Duration::from_secs(seconds)).to_string(), text);
    }
    let before = Timestamp(UNIX_EPOCH - Duration::from_secs(1));
    assert_eq!(before.to_string(), Timestamp(UNIX_EPOCH).to_string());
}
