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
