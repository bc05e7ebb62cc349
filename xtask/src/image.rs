//! Container images, made from the binaries on this machine without a container engine.
//!
//! What a binary is linked against goes into the image beside it, so the image is as new as the
//! machine that made it and needs no base image.
//!
//! **Invariant:** the same files give the same bytes, and so the same digest.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;

use crate::product;
use crate::shell::{root, say, target};

mod layer;
mod libraries;
mod oci;

use layer::Layer;
use oci::Image;

/// Which images to make.
#[derive(Args)]
pub(crate) struct Request {
    /// Unoptimised binaries and also the images of the demo's shop, for the cluster on this machine
    #[arg(long)]
    debug: bool,
}

/// Builds the binaries and packs them.
pub(crate) fn run(request: &Request) -> Result<()> {
    if request.debug {
        product::for_the_lab()?;
        return for_the_cluster();
    }
    product::release()?;
    say("image: waypointd");
    let folder = root().join(product::PLACE);
    pack(&WAYPOINT, waypoint_layer(&folder)?, &folder)
}

/// Packs the unoptimised binaries, which are there: waypointd, the shop, and what pods stand on.
pub(crate) fn for_the_cluster() -> Result<()> {
    say("image: waypointd, the shop, pause");
    let (built, folder) = (target().join("debug"), debug_folder());
    pack(&WAYPOINT, waypoint_layer(&built)?, &folder)?;
    let shop = layer_of(&built, &["waypoint-shop"], GUESTS)?;
    pack(&PAUSE, shop.clone(), &folder)?;
    pack(&SHOP, shop, &folder)
}

/// The archives that [`for_the_cluster`] makes.
pub(crate) fn for_the_cluster_archives() -> [PathBuf; 3] {
    [PAUSE, SHOP, WAYPOINT].map(|what| debug_folder().join(what.file()))
}

fn debug_folder() -> PathBuf {
    root().join(product::PLACE).join("debug")
}

/// What the product's image holds, of the binary in a folder.
fn waypoint_layer(folder: &Path) -> Result<Layer> {
    layer_of(folder, &["waypointd"], &[])
}

/// A layer with some of our programs, some of this machine's, and what all of them need.
fn layer_of(folder: &Path, ours: &[&str], guests: &[&str]) -> Result<Layer> {
    let mut layer = Layer::default();
    for (path, mode) in FOLDERS {
        layer.folder(path, *mode);
    }
    for (path, text) in FILES {
        layer.file(path, 0o644, text.as_bytes().to_vec());
    }
    let ours = ours.iter().map(|program| folder.join(program));
    for program in ours.chain(guests.iter().map(PathBuf::from)) {
        let name = program.file_name().context("a program has a name")?;
        let place = PathBuf::from("/usr/bin").join(name);
        let bytes = fs::read(&program).with_context(|| program.display().to_string())?;
        layer.file(&place, 0o755, bytes);
        for library in libraries::of(&program)? {
            let bytes = fs::read(&library).with_context(|| library.display().to_string())?;
            layer.file(&library, 0o755, bytes);
        }
    }
    Ok(layer)
}

fn pack(what: &What, layer: Layer, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let image = Image {
        name: format!("waypoint.dev/{}:{VERSION}", what.name),
        entry_point: what.entry_point,
        title: what.title,
        version: VERSION,
        layer,
    };
    let file = folder.join(what.file());
    let digest = image.write(&file)?;
    println!("{}\n  {} {digest}", file.display(), image.name);
    Ok(())
}

/// An image's own words.
struct What {
    name: &'static str,
    title: &'static str,
    entry_point: &'static [&'static str],
}

impl What {
    fn file(&self) -> String {
        format!("{}-image.tar", self.name)
    }
}

const WAYPOINT: What = What {
    name: "waypoint",
    title: "Waypoint: agent, proxy and controller",
    entry_point: &["/usr/bin/waypointd"],
};
const SHOP: What = What {
    name: "shop",
    title: "The server of the demo shop",
    entry_point: &["/usr/bin/waypoint-shop"],
};
const PAUSE: What = What {
    name: "pause",
    title: "The first process of a pod",
    entry_point: &["/usr/bin/waypoint-shop", "pause"],
};
/// Programs of this machine that a person wants in a pod of the shop.
const GUESTS: &[&str] = &["/usr/bin/curl", "/bin/sh"];
/// Folders that programs expect, with their modes.
const FOLDERS: &[(&str, u32)] = &[("/run", 0o755), ("/tmp", 0o1777)];
/// Who is who, and how names are looked up.
const FILES: &[(&str, &str)] = &[
    (
        "/etc/passwd",
        "root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n",
    ),
    ("/etc/group", "root:x:0:\nnonroot:x:65532:\n"),
    ("/etc/nsswitch.conf", "hosts: files dns\n"),
];
const VERSION: &str = env!("CARGO_PKG_VERSION");

#[cfg(test)]
mod tests;
