//! Unit tests of the lock.

use std::fs;

use super::*;

#[test]
fn a_second_process_is_told_who_has_the_directory() {
    let run_dir = std::env::temp_dir().join(format!("waypoint-lock-{}", std::process::id()));
    let first = Lock::take(&run_dir).unwrap();
    let refusal = Lock::take(&run_dir).unwrap_err().to_string();
    assert!(refusal.contains(&std::process::id().to_string()), "{refusal}");
    assert!(refusal.contains("--run-dir"), "{refusal}");
    drop(first);
    Lock::take(&run_dir).unwrap();
    fs::remove_dir_all(&run_dir).unwrap();
}

#[test]
fn a_child_that_has_the_file_for_a_moment_does_not_keep_the_lock() {
    let run_dir = std::env::temp_dir().join(format!("waypoint-lock-child-{}", std::process::id()));
    let lock = Lock::take(&run_dir).unwrap();
    // What a child has between its birth and its program: the same open file.
    let of_child = lock.file.try_clone().unwrap();
    drop(lock);
    Lock::take(&run_dir).unwrap();
    drop(of_child);
    fs::remove_dir_all(&run_dir).unwrap();
}

#[test]
fn a_lock_that_was_passed_on_stays_with_who_has_it() {
    let run_dir = std::env::temp_dir().join(format!("waypoint-lock-shared-{}", std::process::id()));
    let first = Lock::take(&run_dir).unwrap();
    let next = Lock::shared(first.share().try_clone_to_owned().unwrap());
    drop(first);
    assert!(Lock::is_taken(&run_dir));
    drop(next);
    Lock::take(&run_dir).unwrap();
    fs::remove_dir_all(&run_dir).unwrap();
}
