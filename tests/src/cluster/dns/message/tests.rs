use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;

#[test]
fn a_question_is_read() {
    let packet = asks("Reviews.shop.svc.cluster.local", 28);
    let question = Question::read(&packet).unwrap();
    assert_eq!(question.name, "reviews.shop.svc.cluster.local");
    assert_eq!(question.kind, Kind::Aaaa);
}

#[test]
fn an_answer_repeats_the_question_and_gives_the_address() {
    let packet = asks("a.b", 1);
    let question = Question::read(&packet).unwrap();
    let answer = question.answer(&Answer::Addresses(vec![Ipv4Addr::new(10, 96, 0, 7).into()]));
    assert_eq!(answer[..2], packet[..2]);
    assert_eq!(answer[2..12], [0x85, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
    assert_eq!(answer[12..packet.len()], packet[12..]);
    let record = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 10, 96, 0, 7];
    assert_eq!(answer[packet.len()..], record);
}

#[test]
fn an_unknown_name_is_said_to_be_unknown_and_a_known_one_without_address_is_not() {
    let packet = asks("a.b", 28);
    let question = Question::read(&packet).unwrap();
    assert_eq!(question.answer(&Answer::NoSuchName)[3] & 0xf, 3);
    let nothing = question.answer(&Answer::Addresses(Vec::new()));
    assert_eq!((nothing[3] & 0xf, nothing[7]), (0, 0));
    let v6 = question.answer(&Answer::Addresses(vec![Ipv6Addr::LOCALHOST.into()]));
    assert_eq!(v6.len(), packet.len() + 12 + 16);
}

#[test]
fn what_is_not_a_question_is_ignored() {
    let packet = asks("a.b", 1);
    for length in 0..packet.len() {
        assert!(Question::read(&packet[..length]).is_none(), "{length} bytes");
    }
    let mut answer = packet.clone();
    answer[2] |= 0x80;
    assert!(Question::read(&answer).is_none());
}

fn asks(name: &str, kind: u8) -> Vec<u8> {
    let mut packet = vec![7, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        packet.push(u8::try_from(label.len()).unwrap());
        packet.extend(label.bytes());
    }
    packet.extend([0, 0, kind, 0, 1]);
    packet
}
