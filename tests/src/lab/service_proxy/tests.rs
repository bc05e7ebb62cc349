use super::way;

#[test]
fn each_endpoint_has_its_chance() {
    let endpoints = ["10.0.0.1:8".parse().unwrap(), "10.0.0.2:8".parse().unwrap()];
    assert_eq!(
        way("10.9.0.1:80".parse().unwrap(), &endpoints),
        "ip daddr 10.9.0.1 tcp dport 80 dnat ip to numgen random mod 2 \
         map { 0 : 10.0.0.1 . 8, 1 : 10.0.0.2 . 8,  }\n"
    );
}

#[test]
fn without_an_endpoint_it_is_refused() {
    assert_eq!(
        way("[fd00::1]:80".parse().unwrap(), &[]),
        "ip6 daddr fd00::1 tcp dport 80 reject with tcp reset\n"
    );
}
