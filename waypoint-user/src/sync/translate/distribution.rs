//! Which of a Service's endpoints are preferred, by where they are
//! (Istio `pilot/pkg/model/service.go`, `GetTrafficDistribution`).
//!
//! It looks at no endpoint.

use k8s_openapi::{
    api::core::v1::Service as Declared, apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use crate::{
    mesh::{
        label::{Labels, TRAFFIC_DISTRIBUTION},
        object::ObjectRef,
        report::Report,
        service::Distribution,
    },
    sync::finding::warning,
};

use super::{meta, scene::Scene};

/// `internalTrafficPolicy: Local` first, as it leaves no choice; then the Service's own field, its
/// annotation, and its namespace's.
pub(super) fn of(
    scene: &Scene<'_>,
    object: &ObjectRef,
    declared: &Declared,
    report: &mut Report,
) -> Distribution {
    let spec = declared.spec.as_ref();
    if spec.and_then(|spec| spec.internal_traffic_policy.as_deref()) == Some(LOCAL) {
        return Distribution::OnlyNode;
    }
    if let Some(word) = spec.and_then(|spec| spec.traffic_distribution.as_deref()) {
        return parse(word).unwrap_or_else(|| {
            tell(object, "spec.trafficDistribution", word, report);
            Distribution::Any
        });
    }
    annotated(scene, object, &declared.metadata, report)
}

/// What the object's own annotation says, else its namespace's.
pub(super) fn annotated(
    scene: &Scene<'_>,
    object: &ObjectRef,
    metadata: &ObjectMeta,
    report: &mut Report,
) -> Distribution {
    let annotation = |all: &Labels| all.get(TRAFFIC_DISTRIBUTION).cloned();
    if let Some(word) = annotation(meta::annotations(metadata)) {
        return parse(&word).unwrap_or_else(|| {
            tell(object, &format!("annotation {TRAFFIC_DISTRIBUTION}"), &word, report);
            Distribution::Any
        });
    }
    let inherited = annotation(scene.namespace_annotations(&object.name.namespace));
    inherited.and_then(|word| parse(&word)).unwrap_or_default()
}

/// A word that nobody knows means any endpoint.
fn tell(object: &ObjectRef, whence: &str, word: &str, report: &mut Report) {
    let message = format!(
        "{whence}: {word:?} is none of PreferClose, PreferSameZone, PreferSameNode and Any; every \
         ready endpoint takes traffic"
    );
    report.add(object.clone(), warning("UnknownTrafficDistribution", message));
}

/// Parses a word, as Istio does without looking at case.
fn parse(word: &str) -> Option<Distribution> {
    let known = WORDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(word));
    known.map(|(_, distribution)| *distribution)
}

const WORDS: &[(&str, Distribution)] = &[
    ("PreferClose", Distribution::PreferZone),
    ("PreferSameZone", Distribution::PreferZone),
    ("PreferSameNode", Distribution::PreferNode),
    ("Any", Distribution::Any),
];
const LOCAL: &str = "Local";
