//! Waypoint on real nodes: kubelets, containerd, pods, the deployment as it is shipped.

use std::path::PathBuf;

use anyhow::{Context, Result};
use waypoint_tests::{
    cluster::{Cluster, Place, Settings},
    demo::town,
};

#[test]
fn it_is_installed_used_upgraded_under_load_and_uninstalled_without_a_trace() -> Result<()> {
    let settings = Settings { place: Place::of_this_process(), nodes: 2, images: images()? };
    let cluster = Cluster::start(&settings, &|step| println!("{step}"))?;
    assert!(town::tell(&cluster, &mut || Ok(()))?, "not everything was as expected: see the table");
    Ok(())
}

/// Those that `cargo xtask image --debug` makes.
fn images() -> Result<Vec<PathBuf>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/waypoint/debug");
    let find = |name: &&str| {
        let file = PathBuf::from(folder).join(format!("{name}-image.tar"));
        let found = file.canonicalize();
        found.with_context(|| format!("no {}: run `cargo xtask image --debug`", file.display()))
    };
    ["pause", "shop", "waypoint"].iter().map(find).collect()
}
