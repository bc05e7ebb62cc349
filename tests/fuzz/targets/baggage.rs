//! The field `baggage`: what is read is written as the same, within bounds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use waypoint_user::hbone::Baggage;

fuzz_target!(|text: &str| {
    let baggage = Baggage::parse(text);
    let workload = baggage.workload.as_ref().map(|(_, name)| name);
    let said = [
        baggage.cluster.as_ref(),
        baggage.namespace.as_ref(),
        workload,
        baggage.service.as_ref(),
        baggage.revision.as_ref(),
        baggage.region.as_ref(),
        baggage.zone.as_ref(),
    ];
    assert!(said.into_iter().flatten().all(|value| (1..=256).contains(&value.len())));
    let written = baggage.to_string();
    assert!(written.bytes().all(|byte| byte.is_ascii_graphic()));
    assert_eq!(Baggage::parse(&written), baggage);
    assert_eq!(baggage.is_empty(), written.is_empty());
});
