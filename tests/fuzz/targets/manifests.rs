//! Manifests: nothing in a file panics, reading is repeatable, and a file in which no object is
//! understood changes nothing of the mesh that the file beside it describes.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use waypoint_user::{
    mesh::{report::Report, snapshot::Settings, snapshot::Snapshot},
    sync::{Served, objects::Objects, objects_in, translate},
};

fuzz_target!(|bytes: &[u8]| {
    let fuzzed: (&str, &[u8]) = ("fuzzed.yaml", bytes);
    let (objects, said_of_files) = objects_in(&[fuzzed]);
    let (snapshot, report) = mesh(&[fuzzed]);
    let again = mesh(&[fuzzed]);
    assert_eq!((&snapshot, &report), (&again.0, &again.1));
    assert_eq!(said_of_files.since(&report).next(), None);
    if is_empty(&objects) {
        assert_eq!(mesh(&[("good.yaml", GOOD), fuzzed]).0, *UNTOUCHED);
    }
});

/// What files mean together.
fn mesh(files: &[(&str, &[u8])]) -> (Snapshot, Report) {
    let (objects, report) = objects_in(files);
    translate(&objects, &Settings::default(), Served::Here, report)
}

fn is_empty(objects: &Objects) -> bool {
    objects.namespaces.is_empty()
        && objects.pods.is_empty()
        && objects.services.is_empty()
        && objects.endpoint_slices.is_empty()
        && objects.gateway_classes.is_empty()
        && objects.gateways.is_empty()
        && objects.http_routes.is_empty()
        && objects.policies.is_empty()
}

/// A mesh in which there is something to change.
const GOOD: &[u8] = include_bytes!("../../data/policies/every-field/input.yaml");

/// What it describes.
static UNTOUCHED: LazyLock<Snapshot> = LazyLock::new(|| mesh(&[("good.yaml", GOOD)]).0);
