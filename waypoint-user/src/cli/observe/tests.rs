use super::*;

#[test]
fn a_connection_is_one_line_for_people() {
    let line = r#"{"time":"T","event":"closed","source":{"address":"10.1.0.1:4","pod":"shop/web"},
        "destination":{"address":"10.96.0.1:80","service":"shop/reviews"},"path":"waypoint",
        "waypoint":"shop/waypoint","duration_us":1500,"bytes_sent":7,"bytes_received":9,
        "rtt_us":40,"retransmissions":0}"#;
    let expected = "T closed shop/web (10.1.0.1:4) -> shop/reviews (10.96.0.1:80) \
                    waypoint shop/waypoint 1.5ms sent=7 received=9 rtt=40us retransmissions=0";
    assert_eq!(text(line), expected);
    let line = r#"{"time":"T","event":"opened","source":{"address":"10.1.0.1:4"},
        "destination":{"address":"10.1.0.2:80"},"path":"direct","waypoint":null}"#;
    assert_eq!(text(line), "T opened 10.1.0.1:4 -> 10.1.0.2:80 direct");
    assert_eq!(text(r#"{"missed":3}"#), "-- 3 connections were missed --");
}

#[test]
fn a_time_has_the_unit_that_fits() {
    let cases = [(0, "0us"), (999, "999us"), (1_000, "1.0ms"), (2_340_000, "2.3s")];
    for (micros, expected) in cases {
        assert_eq!(lasted(micros), expected);
    }
}
