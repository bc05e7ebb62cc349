use super::*;

fn all() -> Vec<Fault> {
    let denied = || Some("ns[a]-policy[p]-rule[0]".to_owned());
    vec![
        Fault::BadRequest("no Host"),
        Fault::MethodRefused,
        Fault::Denied(denied()),
        Fault::Denied(None),
        Fault::UnknownDestination,
        Fault::NoRoute,
        Fault::NoBackend("weights are zero".to_owned()),
        Fault::Forbidden,
        Fault::Unasked,
        Fault::TooLarge,
        Fault::SlowBody,
        Fault::NoEndpoint,
        Fault::ConnectFailed("Connection refused".to_owned()),
        Fault::ConnectTimeout,
        Fault::TooLate(Late::Request),
        Fault::TooLate(Late::Try),
        Fault::TooLate(Late::Call),
        Fault::TooLate(Late::Rest),
        Fault::UpstreamClosed,
        Fault::UpstreamRefused,
        Fault::UpstreamCut,
        Fault::UpstreamProtocol,
        Fault::ClientGone,
        Fault::Revoked(denied()),
        Fault::Drained,
    ]
}

#[test]
fn only_what_reached_no_endpoint_may_be_tried_again() {
    for fault in all() {
        let unseen = matches!(
            fault,
            Fault::ConnectFailed(_) | Fault::ConnectTimeout | Fault::UpstreamRefused
        );
        assert_eq!(fault.row().may_retry, unseen, "{fault:?}");
    }
}

#[test]
fn statuses_say_whose_fault_it_is() {
    for fault in all() {
        let row = fault.row();
        match row.status {
            0 => assert_eq!(fault.body(), "", "{fault:?}"),
            400..500 => assert_eq!(row.blame, Blame::Client, "{fault:?}"),
            500..600 => assert_ne!(row.blame, Blame::Client, "{fault:?}"),
            status => panic!("{fault:?} has status {status}"),
        }
    }
}

#[test]
fn grpc_statuses_follow_the_http_ones() {
    let status = |fault: Fault| fault.grpc_status();
    assert_eq!(status(Fault::BadRequest("")), 13);
    assert_eq!(status(Fault::Denied(None)), 7);
    assert_eq!(status(Fault::NoRoute), 12);
    assert_eq!(status(Fault::NoEndpoint), 14);
    assert_eq!(status(Fault::NoBackend(String::new())), 14);
    assert_eq!(status(Fault::TooLate(Late::Request)), 14);
    assert_eq!(status(Fault::TooLate(Late::Call)), 4);
}

#[test]
fn details_name_the_rule_that_denied() {
    assert_eq!(Fault::Denied(None).to_string(), "rbac_access_denied_matched_policy[none]");
    let fault = Fault::ConnectFailed("No route to host".to_owned());
    let details = "upstream_reset_before_response_started\
                   {remote_connection_failure|delayed_connect_error:_No_route_to_host}";
    assert_eq!(fault.to_string(), details);
}
