use super::*;

#[test]
fn the_image_holds_the_program_and_what_it_is_linked_against_and_nothing_to_call() {
    let folder = std::env::temp_dir().join(format!("waypoint-image-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    // Any program of this machine stands for the release binary.
    fs::copy("/bin/ls", folder.join("waypointd")).unwrap();
    pack(&WAYPOINT, waypoint_layer(&folder).unwrap(), &folder).unwrap();
    let held = waypoint_layer(&folder).unwrap().archive().unwrap();
    let mut held = tar::Archive::new(held.as_slice());
    let entries = held.entries().unwrap();
    let paths = entries.map(|entry| entry.unwrap().path().unwrap().display().to_string());
    let paths: Vec<_> = paths.collect();
    let called: Vec<_> = paths.iter().filter(|path| path.contains("bin/")).collect();
    assert_eq!(called, ["usr/bin/waypointd"]);
    assert!(paths.iter().any(|path| path.contains("libc.so")), "{paths:?}");
    assert!(paths.iter().any(|path| path.contains("ld-linux")), "{paths:?}");
    assert!(folder.join("waypoint-image.tar").is_file());
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn the_containerfile_copies_everything_that_the_build_needs() {
    let text = |file: &str| fs::read_to_string(root().join(file)).unwrap();
    let containerfile = text("deploy/Containerfile");
    let copied: Vec<&str> = containerfile
        .lines()
        .filter(|line| !line.contains("--from"))
        .filter_map(|line| line.strip_prefix("COPY "))
        .flat_map(str::split_whitespace)
        .collect();
    let workspace = text("Cargo.toml");
    let members = workspace.lines().find(|line| line.starts_with("members = ")).unwrap();
    let members = members.split('"').skip(1).step_by(2);
    for needed in members.chain(["Cargo.toml", "Cargo.lock", ".cargo"]) {
        assert!(copied.contains(&needed), "{needed} is not copied");
        assert!(root().join(needed).exists(), "{needed} is not there");
    }
    let version = workspace.lines().find_map(|line| line.strip_prefix("rust-version = "));
    let version = version.unwrap().trim_matches('"');
    assert!(containerfile.contains(&format!("rust:{version}-")), "not built by Rust {version}");
    assert!(containerfile.contains(&format!("{}/waypointd ", product::PLACE)));
}
