use http::HeaderValue;

use super::*;

fn waits(text: &str) -> Option<Duration> {
    let value = HeaderValue::from_bytes(text.as_bytes()).unwrap();
    grpc_timeout(&HeaderMap::from_iter([(http::HeaderName::from_static("grpc-timeout"), value)]))
}

#[test]
fn a_caller_of_grpc_says_how_long_it_waits() {
    for (text, micros) in
        [("1S", 1_000_000), ("20m", 20_000), ("300u", 300), ("2M", 120_000_000), ("5000n", 5)]
    {
        assert_eq!(waits(text), Some(Duration::from_micros(micros)), "{text}");
    }
    for wrong in ["", "S", "1", "1s", "+1S", "-1S", "123456789S", "1\u{e9}"] {
        assert_eq!(waits(wrong), None, "{wrong}");
    }
}
