use super::*;
use crate::identity::{ca::Authority, issuer::FreshKey};

fn web() -> Arc<SpiffeId> {
    Arc::new(SpiffeId::new("cluster.local", "shop", "web"))
}

const HOUR: Duration = Duration::from_hours(1);

fn after(time: Duration) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(UnixTime::now().as_secs()) + time)
}

#[test]
fn a_leaf_is_verified_once_until_it_ends() {
    let authority = Authority::ephemeral("cluster.local").unwrap();
    let issued = authority.issue_to(&FreshKey::generate().unwrap(), &web(), HOUR).unwrap();
    let trust = Trusts::new(Revocations::new().1).of(&issued.roots).unwrap();
    let (leaf, chain, now) = (&issued.leaf, &issued.intermediates, UnixTime::now());
    // Without the intermediate there is no path, so this is what tells a memory from a search.
    assert!(trust.verify(leaf, &[], Usage::Client, now).is_err());
    assert_eq!(trust.verify(leaf, chain, Usage::Client, now).unwrap(), web());
    assert_eq!(trust.verify(leaf, &[], Usage::Client, now).unwrap(), web());
    assert!(trust.verify(leaf, &[], Usage::Server, now).is_err(), "usages are apart");
    assert!(trust.verify(leaf, &[], Usage::Client, after(HOUR / 2)).is_ok());
    assert!(trust.verify(leaf, chain, Usage::Client, after(HOUR * 2)).is_err(), "it ended");
}

#[test]
fn other_lists_or_roots_make_all_forgotten() {
    let authority = Authority::ephemeral("cluster.local").unwrap();
    let issued = authority.issue_to(&FreshKey::generate().unwrap(), &web(), HOUR).unwrap();
    let (sender, revocations) = Revocations::new();
    let trusts = Trusts::new(revocations);
    let trust = trusts.of(&issued.roots).unwrap();
    let (leaf, chain, now) = (&issued.leaf, &issued.intermediates, UnixTime::now());
    trust.verify(leaf, chain, Usage::Client, now).unwrap();
    let other = Authority::ephemeral("cluster.local").unwrap();
    let both = [authority.roots(), other.roots()].concat();
    assert!(trusts.of(&both).unwrap().verify(leaf, &[], Usage::Client, now).is_err());
    sender.send_replace(Arc::new(Lists { generation: 1, all: Vec::new() }));
    assert!(trust.verify(leaf, &[], Usage::Client, now).is_err());
}

#[test]
fn the_same_roots_share_a_memory_in_whatever_order() {
    let (one, other) = (
        Authority::ephemeral("cluster.local").unwrap(),
        Authority::ephemeral("cluster.local").unwrap(),
    );
    let trusts = Trusts::new(Revocations::new().1);
    let there = trusts.of(&[one.roots(), other.roots()].concat()).unwrap();
    let back = trusts.of(&[other.roots(), one.roots(), one.roots()].concat()).unwrap();
    assert!(Arc::ptr_eq(&there, &back));
    assert!(!Arc::ptr_eq(&there, &trusts.of(one.roots()).unwrap()));
}

#[test]
fn a_memory_is_bounded() {
    let mut memory = Memory::default();
    let now = UnixTime::now();
    let known = |until| Remembered { identity: web(), until };
    for number in 0..REMEMBERED_MAX {
        let until = if number % 2 == 0 { now } else { after(HOUR) };
        memory.remember((number.to_be_bytes().to_vec(), Usage::Client), known(until), now);
    }
    memory.remember((vec![1], Usage::Client), known(after(HOUR)), now);
    assert_eq!(memory.leaves.len(), REMEMBERED_MAX / 2 + 1, "those that ended went");
    for number in 0..REMEMBERED_MAX * 2 {
        memory.remember((vec![2; number % 7000], Usage::Client), known(after(HOUR)), now);
        assert!(memory.leaves.len() <= REMEMBERED_MAX);
    }
}
