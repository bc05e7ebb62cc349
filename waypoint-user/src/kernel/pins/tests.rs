//! Unit tests of pins, on an ordinary directory.

use super::*;

fn scratch(name: &str) -> PathBuf {
    let root = std::env::temp_dir().join(format!("waypoint-pins-{name}-{}", std::process::id()));
    fs::create_dir_all(&root).unwrap();
    root
}

#[test]
fn other_versions_go_and_what_is_not_ours_stays() {
    let root = scratch("versions");
    let pins = Pins::new(&root);
    pins.create().unwrap();
    fs::create_dir_all(root.join("v999/maps")).unwrap();
    fs::write(root.join("v999/maps/cfg"), "").unwrap();
    fs::create_dir_all(root.join("vendor")).unwrap();
    assert_eq!(pins.remove_other_versions().unwrap(), [root.join("v999/maps/cfg")]);
    assert!(!root.join("v999").exists());
    assert!(pins.map("").is_dir() && root.join("vendor").is_dir());
    fs::remove_dir_all(&root).unwrap();
}

#[test]
fn removing_everything_removes_links_before_maps_and_then_the_directory() {
    let root = scratch("all");
    let pins = Pins::new(&root);
    pins.create().unwrap();
    fs::write(pins.map("cfg"), "").unwrap();
    fs::write(pins.pod_link(program::TO_POD, 7), "").unwrap();
    assert_eq!(pins.pod_links(program::TO_POD).unwrap(), [7]);
    assert_eq!(
        pins.remove_all().unwrap(),
        [pins.pod_link(program::TO_POD, 7), pins.map("cfg"), root.clone()]
    );
    assert!(pins.remove_all().unwrap().is_empty());
    assert!(!root.exists());
}
