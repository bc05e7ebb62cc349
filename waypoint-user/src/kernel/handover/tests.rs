//! Unit tests of the hand-over.

use std::{
    fs::{self, File},
    os::fd::OwnedFd,
    path::PathBuf,
};

use tokio::net::UnixStream;

use super::{
    super::{Error, lock::Lock},
    wire::Wire,
    *,
};
use crate::telemetry::metrics::Registry;

/// A run directory of a test.
struct RunDir(PathBuf);

impl RunDir {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("waypoint-{name}-{}", std::process::id())))
    }

    fn door(&self, registry: &Registry) -> Door {
        Door::open(&self.0, hello(), Count::export(registry)).unwrap()
    }

    async fn ask(&self) -> Result<(Predecessor, Lock), Error> {
        Ok(Predecessor::ask(&self.0, hello()).await?.expect("somebody answers"))
    }

    fn is_locked(&self) -> bool {
        matches!(Lock::take(&self.0), Err(Error::Busy { .. }))
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn hello() -> Hello {
    Hello::of(&Settings { node: Some("n1".to_owned()), ..Settings::default() })
}

#[test]
fn whatever_differs_is_named_with_both_values() {
    let own = hello();
    assert_eq!(own.admits(&own), Ok(()));
    let others = [
        (Hello { abi: 99, ..hello() }, "data path ABI", "99"),
        (Hello { format: 9, ..hello() }, "hand-over format 1", "9"),
        (Hello { node: Some("n2".to_owned()), ..hello() }, "node n1", "n2"),
        (Hello { node: None, ..hello() }, "node n1", "no name"),
        (Hello { pin_dir: "/sys/fs/bpf/x".into(), ..hello() }, "pin directory", "/sys/fs/bpf/x"),
        (Hello { link: "other0".to_owned(), ..hello() }, "link wpd0", "other0"),
        (Hello { inbound: true, ..hello() }, "capture of tunnels false", "true"),
    ];
    for (other, what, value) in others {
        let why = own.admits(&other).unwrap_err();
        let pid = format!("(pid {})", std::process::id());
        let expected = format!("this one has {value}: stop it first");
        assert!(why.contains(what) && why.contains(&pid) && why.contains(&expected), "{why}");
    }
}

#[test]
fn another_version_is_no_hindrance() {
    let process = Process { pid: 1, version: "9.9.9".to_owned() };
    assert_eq!(hello().admits(&Hello { process, ..hello() }), Ok(()));
}

#[tokio::test]
async fn the_lock_is_held_until_both_have_let_go() {
    let run_dir = RunDir::new("share");
    let old = Lock::take(&run_dir.0).unwrap();
    let mut door = run_dir.door(&Registry::new());
    let holding = async {
        let granted = door.next().await.grant(&old).await.unwrap();
        granted.in_force().await.unwrap().release().await;
    };
    let taking = async {
        let (predecessor, lock) = run_dir.ask().await.unwrap();
        predecessor.take_over().await.unwrap();
        lock
    };
    let ((), new) = tokio::join!(holding, taking);
    drop(old);
    assert!(run_dir.is_locked());
    drop(new);
    assert!(!run_dir.is_locked());
}

#[tokio::test]
async fn a_successor_that_ends_before_it_is_in_force_leaves_the_lock_behind() {
    let run_dir = RunDir::new("ends");
    let lock = Lock::take(&run_dir.0).unwrap();
    let mut door = run_dir.door(&Registry::new());
    let granting = async { door.next().await.grant(&lock).await.unwrap() };
    let (asked, granted) = tokio::join!(run_dir.ask(), granting);
    drop(asked.unwrap());
    assert!(granted.in_force().await.is_err());
    assert!(run_dir.is_locked());
}

#[tokio::test]
async fn a_predecessor_that_went_on_is_noticed_before_and_after() {
    let run_dir = RunDir::new("back");
    let lock = Lock::take(&run_dir.0).unwrap();
    let mut door = run_dir.door(&Registry::new());
    let granting = async { door.next().await.grant(&lock).await.unwrap() };
    let (asked, granted) = tokio::join!(run_dir.ask(), granting);
    let (mut predecessor, _lock) = asked.unwrap();
    predecessor.still_rests().await.unwrap();
    tokio::time::pause();
    assert!(granted.in_force().await.is_err(), "silence has an end");
    tokio::time::resume();
    assert!(matches!(predecessor.still_rests().await, Err(Error::TakenBack { .. })));
}

#[tokio::test]
async fn who_says_no_hello_or_another_abi_is_refused_and_counted() {
    let run_dir = RunDir::new("refuse");
    let _lock = Lock::take(&run_dir.0).unwrap();
    let registry = Registry::new();
    let _door = run_dir.door(&registry);
    let strange = [Message::InForce, Message::Hello(Hello { abi: 0, ..hello() })];
    for message in strange {
        let mut wire = Wire::new(UnixStream::connect(path(&run_dir.0)).await.unwrap());
        wire.say(&message).await.unwrap();
        let (answer, fd) = wire.hear(ANSWER_PATIENCE).await.unwrap();
        assert!(matches!(answer, Message::Refused { .. }), "{answer:?}");
        assert!(fd.is_none());
    }
    // The second was counted before it was told anything further.
    let text = registry.encode();
    assert!(text.contains("waypoint_handovers_total{result=\"refused\"} 2"), "{text}");
}

#[tokio::test]
async fn a_door_goes_with_its_holder_unless_it_was_left_to_another() {
    let run_dir = RunDir::new("door");
    let _lock = Lock::take(&run_dir.0).unwrap();
    let mut first = run_dir.door(&Registry::new());
    first.leave();
    drop(first);
    assert!(path(&run_dir.0).exists());
    assert!(Predecessor::ask(&run_dir.0, hello()).await.unwrap().is_none(), "nobody is there");
    drop(run_dir.door(&Registry::new()));
    assert!(!path(&run_dir.0).exists());
}

#[tokio::test]
async fn lines_are_bounded_and_come_whole() {
    let (one, other) = UnixStream::pair().unwrap();
    let (one, mut other) = (Wire::new(one), Wire::new(other));
    let file: OwnedFd = File::open("/dev/null").unwrap().into();
    let file = std::os::fd::AsFd::as_fd(&file);
    one.say_with(&Message::Released, Some(file)).await.unwrap();
    one.say(&Message::TakenBack).await.unwrap();
    let (first, passed) = other.hear(ANSWER_PATIENCE).await.unwrap();
    assert!(first == Message::Released && passed.is_some(), "{first:?} {passed:?}");
    assert_eq!(other.hear(ANSWER_PATIENCE).await.unwrap().0, Message::TakenBack);
    let long = Message::Refused { why: "x".repeat(LINE_BYTES_MAX) };
    one.say(&long).await.unwrap();
    assert!(other.hear(ANSWER_PATIENCE).await.is_err());
}
