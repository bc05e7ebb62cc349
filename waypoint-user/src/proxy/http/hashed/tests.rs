use super::*;
use crate::mesh::request::sample::Request;

fn peer(address: &str) -> Peer {
    Peer::unknown(address.parse().unwrap())
}

fn of(key: HashKey, request: &Request) -> Option<u64> {
    hash_of(&[key], request, &peer("10.0.0.1:1"))
}

fn request() -> Request {
    let request = Request::get("http://shop/a?user=ann&n=1");
    request.header("x-user", "ann").header("cookie", "a=b; user=ann")
}

#[test]
fn the_same_text_has_the_same_hash_wherever_it_is() {
    let ann = Some(hash(b"ann"));
    assert_eq!(of(HashKey::Header("x-user".to_owned()), &request()), ann);
    assert_eq!(of(HashKey::Cookie("user".to_owned()), &request()), ann);
    assert_eq!(of(HashKey::QueryParameter("user".to_owned()), &request()), ann);
    assert_ne!(of(HashKey::QueryParameter("n".to_owned()), &request()), ann);
}

#[test]
fn a_client_is_its_address_without_port_or_mapping() {
    let of = |address| hash_of(&[HashKey::SourceAddress], &request(), &peer(address));
    assert_eq!(of("10.0.0.1:1"), of("[::ffff:10.0.0.1]:2"));
    assert_ne!(of("10.0.0.1:1"), of("10.0.0.2:1"));
}

#[test]
fn the_first_key_that_the_request_has_counts() {
    let keys = [HashKey::Header("x-none".to_owned()), HashKey::Cookie("user".to_owned())];
    assert_eq!(hash_of(&keys, &request(), &peer("10.0.0.1:1")), Some(hash(b"ann")));
    assert_eq!(hash_of(&keys[..1], &request(), &peer("10.0.0.1:1")), None);
}
