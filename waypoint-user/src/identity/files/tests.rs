use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::identity::tests::Scratch;

#[test]
fn a_file_is_created_once_and_whole() {
    let dir = Scratch::new("files-create");
    let path = dir.path().join("key.pem");
    create(&path, b"one", 0o600).unwrap();
    let again = create(&path, b"two", 0o600).unwrap_err();
    assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(read(&path).unwrap(), b"one");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn a_file_that_is_exchanged_comes_or_goes_is_noticed_once() {
    let dir = Scratch::new("files-follow");
    let path = dir.path().join("crl.pem");
    let mut followed = Followed::new(vec![path.clone()]);
    assert!(!followed.changed());
    fs::write(&path, "one").unwrap();
    assert!(followed.changed());
    assert!(!followed.changed());
    // Of the same length, and in the same tick of the clock perhaps: but another inode.
    fs::write(dir.path().join("next"), "two").unwrap();
    fs::rename(dir.path().join("next"), &path).unwrap();
    assert!(followed.changed());
    fs::remove_file(&path).unwrap();
    assert!(followed.changed());
    assert!(!followed.changed());
}
