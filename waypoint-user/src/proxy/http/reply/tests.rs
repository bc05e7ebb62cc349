use super::*;

#[test]
fn grpc_messages_are_printable() {
    assert_eq!(percent_encoded("no healthy upstream"), "no healthy upstream");
    assert_eq!(percent_encoded("100 %\nü"), "100 %25%0A%C3%BC");
}
