use std::io::Read;

use super::*;

#[test]
fn the_order_in_which_files_are_added_does_not_matter() {
    let mut one = Layer::default();
    one.file("/usr/bin/a", 0o755, b"a".to_vec());
    one.file("/etc/b", 0o644, b"b".to_vec());
    let mut other = Layer::default();
    other.file("/etc/b", 0o644, b"b".to_vec());
    other.file("/usr/bin/a", 0o755, b"a".to_vec());
    assert_eq!(one.archive().unwrap(), other.archive().unwrap());
}

#[test]
fn a_file_comes_after_the_folders_above_it() {
    let mut layer = Layer::default();
    layer.file("/usr/bin/a", 0o755, b"a".to_vec());
    assert_eq!(listed(&layer), ["usr/ 755", "usr/bin/ 755", "usr/bin/a 755 a"]);
}

#[test]
fn a_folder_keeps_its_mode_when_a_file_is_put_into_it() {
    let mut layer = Layer::default();
    layer.folder("/tmp", 0o1777);
    layer.file("/tmp/a", 0o600, b"a".to_vec());
    assert_eq!(listed(&layer), ["tmp/ 1777", "tmp/a 600 a"]);
}

#[test]
fn everything_is_roots_and_has_no_time() {
    let mut layer = Layer::default();
    layer.file("/a", 0o644, Vec::new());
    let archive = layer.archive().unwrap();
    let mut archive = tar::Archive::new(archive.as_slice());
    for entry in archive.entries().unwrap() {
        let entry = entry.unwrap();
        let header = entry.header();
        assert_eq!(
            (header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap()),
            (0, 0, 0)
        );
    }
}

fn listed(layer: &Layer) -> Vec<String> {
    let archive = layer.archive().unwrap();
    let mut archive = tar::Archive::new(archive.as_slice());
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().display().to_string();
        let path = if entry.header().entry_type().is_dir() && !path.ends_with('/') {
            path + "/"
        } else {
            path
        };
        let mode = entry.header().mode().unwrap();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        format!("{path} {mode:o} {text}").trim_end().to_owned()
    });
    entries.collect()
}
