//! Manifests: nothing in a file panics, reading is repeatable, and a file in which no object is
//! understood changes nothing of the mesh that the file beside it describes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use waypoint_user::{
    mesh::{report::Report, snapshot::Settings, snapshot::Snapshot},
    sync::{objects::Objects, objects_in, translate},
};

fuzz_target!(|bytes: &[u8]| {
    let (objects, report) = objects_in(&[("fuzzed.yaml", bytes)]);
    let alone = mesh(&[("fuzzed.yaml", bytes)]);
    assert_eq!(alone, mesh(&[("fuzzed.yaml", bytes)]));
    let known: Vec<_> = report.iter().collect();
    assert!(known.iter().all(|one| alone.1.iter().any(|told| told == **one)));
    let beside = mesh(&[("a.yaml", GOOD), ("fuzzed.yaml", bytes)]);
    if is_empty(&objects) {
        assert_eq!(beside.0, mesh(&[("a.yaml", GOOD)]).0);
    }
});

/// What files mean together.
fn mesh(files: &[(&str, &[u8])]) -> (Snapshot, Report) {
    let (objects, report) = objects_in(files);
    translate(&objects, &Settings::default(), report)
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
