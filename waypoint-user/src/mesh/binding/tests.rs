use super::*;

fn refusal(reason: RefusalReason) -> Refusal {
    Refusal { waypoint: ObjectName::new("infra", "w"), reason }
}

#[test]
fn only_a_bound_waypoint_takes_traffic() {
    let waypoint = ObjectName::new("infra", "w");
    assert_eq!(Binding::Bound(waypoint.clone()).waypoint(), Some(&waypoint));
    assert_eq!(Binding::default().waypoint(), None);
    let refused = Binding::Refused(refusal(RefusalReason::WaypointIsNotReady));
    assert_eq!(refused.waypoint(), None);
}

#[test]
fn refusals_speak_as_istios_conditions_do() {
    let all = [
        (
            RefusalReason::WaypointIsNotReady,
            "WaypointIsNotReady",
            "waypoint \"infra/w\" is not ready",
        ),
        (
            RefusalReason::AttachmentDenied,
            "AttachmentDenied",
            "we are not permitted to attach to waypoint \"infra/w\" (missing allowedRoutes?)",
        ),
        (
            RefusalReason::UnsupportedServiceTraffic,
            "UnsupportedTrafficType",
            "attempting to bind to traffic type \"service\" which the \
             waypoint \"infra/w\" does not support",
        ),
        (
            RefusalReason::UnsupportedWorkloadTraffic,
            "UnsupportedTrafficType",
            "attempting to bind to traffic type \"workload\" which the \
             waypoint \"infra/w\" does not support",
        ),
        (
            RefusalReason::MixedServiceAccounts,
            "MixedServiceAccounts",
            "waypoint \"infra/w\" is for one service account, and the endpoints run under several",
        ),
    ];
    for (reason, word, message) in all {
        assert_eq!(reason.as_str(), word);
        assert_eq!(refusal(reason).message(), message);
    }
}
