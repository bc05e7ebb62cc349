use super::*;

#[test]
fn a_destination_is_a_host_and_a_port() {
    assert_eq!(destination("reviews.shop:80").unwrap(), ("reviews.shop".to_owned(), 80));
    assert_eq!(destination("[fd00::1]:80").unwrap(), ("[fd00::1]".to_owned(), 80));
    for wrong in
        ["reviews", ":80", "reviews:", "reviews:0", "reviews:65536", "fd00::1:80", "[fd00]"]
    {
        assert!(destination(wrong).is_err(), "{wrong}");
    }
}
