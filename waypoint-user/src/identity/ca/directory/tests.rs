use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    thread,
    time::Duration,
};

use super::*;
use crate::identity::{
    ca::{
        material::{CA_CERT, CA_KEY, MORE_ROOTS, ROOT_CERT, ROOT_KEY},
        profile::{self, Signing},
    },
    certificate,
    tests::Scratch,
};

const DOMAIN: &str = "cluster.local";

fn open(scratch: &Scratch) -> Result<Contents, Error> {
    make_missing(scratch.path(), DOMAIN)?;
    load(scratch.path(), DOMAIN)
}

fn write(scratch: &Scratch, name: &str, content: &str) {
    fs::write(scratch.path().join(name), content).unwrap();
}

#[test]
fn a_first_start_makes_what_a_second_reads() {
    let scratch = Scratch::new("ca-first");
    let first = open(&scratch).unwrap();
    let second = open(&scratch).unwrap();
    assert_eq!(first.authority.roots(), second.authority.roots());
    assert_eq!(first.authority.intermediates, second.authority.intermediates);
    for (name, mode) in [(ROOT_KEY, 0o600), (CA_KEY, 0o600), (TOKEN_KEY, 0o600), (CA_CERT, 0o644)] {
        let metadata = fs::metadata(scratch.path().join(name)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, mode, "{name}");
    }
}

#[test]
fn of_many_that_start_at_once_one_makes_the_authority() {
    let scratch = Scratch::new("ca-together");
    let roots = thread::scope(|scope| {
        let opened: Vec<_> = (0..8).map(|_| scope.spawn(|| open(&scratch))).collect();
        let roots = opened.into_iter().map(|one| one.join().unwrap().unwrap());
        roots.map(|contents| contents.authority.roots().to_vec()).collect::<Vec<_>>()
    });
    assert!(roots.iter().all(|root| *root == roots[0]));
}

#[test]
fn what_another_has_half_made_is_waited_for() {
    let (scratch, whole) = (Scratch::new("ca-half-made"), Scratch::new("ca-half-made-whole"));
    open(&whole).unwrap();
    let copy = |name: &str| fs::copy(whole.path().join(name), scratch.path().join(name)).unwrap();
    fs::create_dir_all(scratch.path()).unwrap();
    let lock = File::create(scratch.path().join(LOCK)).unwrap();
    lock.lock().unwrap();
    copy(ROOT_KEY);
    thread::scope(|scope| {
        let opened = scope.spawn(|| open(&scratch));
        while !opened.is_finished() && !is_waited_for(&lock) {
            thread::yield_now();
        }
        for name in [ROOT_CERT, CA_KEY, CA_CERT, TOKEN_KEY] {
            copy(name);
        }
        lock.unlock().unwrap();
        let contents = opened.join().unwrap().unwrap();
        assert_eq!(
            contents.authority.roots(),
            load(whole.path(), DOMAIN).unwrap().authority.roots()
        );
    });
}

/// Whether somebody waits for the lock of a file (proc_locks(5)).
fn is_waited_for(lock: &File) -> bool {
    let inode = format!(":{} ", lock.metadata().unwrap().ino());
    let locks = fs::read_to_string("/proc/locks").unwrap();
    locks.lines().any(|line| line.contains(" -> ") && line.contains(&inode))
}

#[test]
fn a_root_whose_key_is_elsewhere_will_do() {
    let scratch = Scratch::new("ca-offline");
    open(&scratch).unwrap();
    fs::remove_file(scratch.path().join(ROOT_KEY)).unwrap();
    open(&scratch).unwrap();
}

#[test]
fn an_intermediate_that_was_taken_away_is_made_again() {
    let scratch = Scratch::new("ca-again");
    let first = open(&scratch).unwrap();
    fs::remove_file(scratch.path().join(CA_KEY)).unwrap();
    fs::remove_file(scratch.path().join(CA_CERT)).unwrap();
    let second = open(&scratch).unwrap();
    assert_eq!(first.authority.roots(), second.authority.roots());
    assert_ne!(first.authority.intermediates, second.authority.intermediates);
}

#[test]
fn broken_files_are_named_with_what_is_wrong() {
    let other = Scratch::new("ca-broken-other");
    open(&other).unwrap();
    let foreign = |name: &str| fs::read_to_string(other.path().join(name)).unwrap();
    let garbage = "-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n".to_owned();
    let cases = [
        (ROOT_CERT, "nothing".to_owned(), "no certificate in it"),
        (ROOT_CERT, foreign(ROOT_CERT), "does not lead to a root"),
        (CA_CERT, garbage, "not PEM"),
        (CA_CERT, foreign(CA_CERT), "it is not the key of ca-cert.pem"),
        (CA_KEY, String::new(), "no private key"),
        (CA_KEY, foreign(CA_KEY), "it is not the key of ca-cert.pem"),
        (TOKEN_KEY, "no key".to_owned(), "no private key"),
    ];
    for (index, (name, content, expected)) in cases.into_iter().enumerate() {
        let scratch = Scratch::new(&format!("ca-broken-{index}"));
        open(&scratch).unwrap();
        write(&scratch, name, &content);
        let error = open(&scratch).unwrap_err().to_string();
        assert!(error.contains(expected), "{name}: {error}");
        assert!(error.starts_with("certificate authority file /"), "{error}");
        assert_eq!(fs::read_to_string(scratch.path().join(name)).unwrap(), content);
    }
}

#[test]
fn a_missing_half_is_an_error_and_not_a_new_authority() {
    for name in [ROOT_CERT, CA_CERT, CA_KEY] {
        let scratch = Scratch::new(&format!("ca-half-{name}"));
        open(&scratch).unwrap();
        fs::remove_file(scratch.path().join(name)).unwrap();
        let error = open(&scratch).unwrap_err().to_string();
        assert!(error.contains("it is not there"), "{name}: {error}");
        assert!(!scratch.path().join(name).exists(), "{name}");
    }
}

#[test]
fn additional_roots_are_given_out_too_and_none_twice() {
    let (scratch, other) = (Scratch::new("ca-more"), Scratch::new("ca-more-other"));
    let own = open(&scratch).unwrap();
    let new = open(&other).unwrap();
    let both = [own.authority.roots(), new.authority.roots()].concat();
    let text: String = both.iter().map(certificate::to_pem).collect();
    write(&scratch, MORE_ROOTS, &text);
    assert_eq!(open(&scratch).unwrap().authority.roots(), both);
}

#[tokio::test]
async fn changes_are_taken_once_they_fit_together() {
    let scratch = Scratch::new("ca-follow");
    let shutdown = CancellationToken::new();
    let mut following = follow(scratch.path(), DOMAIN, shutdown.clone()).unwrap();
    let before = following.contents.borrow_and_update().authority.intermediates.clone();
    let root = read(scratch.path()).unwrap().existing_root().unwrap();
    let Signing { certificate, key } = profile::intermediate(DOMAIN, &root).unwrap();
    write(&scratch, CA_CERT, &certificate::to_pem(&certificate));
    // Half of the pair: nothing may change, for longer than it takes to look.
    let early = time::timeout(files::INTERVAL * 2, following.contents.changed()).await;
    assert!(early.is_err(), "a certificate without its key was taken");
    write(&scratch, CA_KEY, &key.serialize_pem());
    let change = time::timeout(Duration::from_secs(10), following.contents.changed()).await;
    change.expect("the pair was not taken").unwrap();
    let after = following.contents.borrow_and_update().authority.intermediates.clone();
    assert_eq!(after, [certificate]);
    assert_ne!(after, before);
    shutdown.cancel();
    following.follower.await.unwrap();
}
