//! Finds the eBPF object that `cargo xtask build-ebpf` made, for `kernel` to embed.

use std::path::Path;

fn main() {
    let object = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/ebpf/waypoint.o");
    println!("cargo::rerun-if-changed={}", object.display());
    if object.exists() {
        println!("cargo::rustc-env=WAYPOINT_EBPF_OBJECT={}", object.display());
    } else {
        println!(
            "cargo::error=the eBPF object is not built yet: run `cargo xtask build-ebpf` first"
        );
    }
}
