use std::{net::Ipv4Addr, sync::Arc};

use super::{Sought, Whereabouts};
use crate::telemetry::metrics::Registry;

/// A pod that nobody runs.
fn nowhere(number: u8) -> Sought {
    let uid = format!("00000000-0000-0000-0000-0000000000{number:02}").into();
    Sought { uid, addresses: vec![Ipv4Addr::new(192, 0, 2, number).into()] }
}

fn whereabouts() -> Whereabouts {
    Whereabouts::new(Registry::new().limit("processes_looked_at"))
}

#[tokio::test]
async fn whether_a_pod_can_be_found_is_open_until_a_look_has_ended() {
    let (mut whereabouts, pod) = (whereabouts(), nowhere(1));
    whereabouts.follow(vec![pod.clone()], false);
    assert!(whereabouts.is_open(&pod.uid));
    whereabouts.looked().await;
    assert!(!whereabouts.is_open(&pod.uid));
    assert_eq!(whereabouts.of(&pod.uid), None);
}

#[tokio::test]
async fn what_was_looked_for_in_vain_is_not_looked_for_at_every_change() {
    let mut whereabouts = whereabouts();
    whereabouts.follow(vec![nowhere(1)], false);
    whereabouts.looked().await;
    for _ in 0..10 {
        whereabouts.follow(vec![nowhere(1)], false);
        assert!(whereabouts.looking.is_none());
    }
}

#[tokio::test]
async fn a_pod_that_is_new_during_a_look_is_looked_for_by_the_next() {
    let (mut whereabouts, late) = (whereabouts(), nowhere(2));
    whereabouts.follow(vec![nowhere(1)], false);
    let first: Vec<_> = whereabouts.asked.iter().cloned().collect();
    whereabouts.follow(vec![nowhere(1), late.clone()], false);
    assert_eq!(first, [nowhere(1).uid]);
    whereabouts.looked().await;
    assert!(whereabouts.is_open(&late.uid));
    // Time for the next.
    whereabouts.due().await;
    whereabouts.follow(vec![nowhere(1), late.clone()], false);
    whereabouts.due().await;
    assert!(!whereabouts.is_open(&late.uid));
    assert!(whereabouts.unfound.contains(&Arc::clone(&late.uid)));
}
