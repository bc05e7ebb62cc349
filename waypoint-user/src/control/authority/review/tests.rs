use std::collections::BTreeMap;

use k8s_openapi::api::authentication::v1::UserInfo;

use super::*;

fn known() -> Known {
    let agents = vec![ObjectName::new("waypoint-system", "waypoint-agent")];
    Known { agents, trust_domain: "cluster.local".to_owned() }
}

fn answer(user: &str, extra: &[(&str, &str)]) -> TokenReviewStatus {
    let extra = extra.iter().map(|(key, value)| ((*key).to_owned(), vec![(*value).to_owned()]));
    let extra: BTreeMap<String, Vec<String>> = extra.collect();
    TokenReviewStatus {
        authenticated: Some(true),
        audiences: Some(vec![AUDIENCE.to_owned()]),
        user: Some(UserInfo {
            username: Some(user.to_owned()),
            extra: Some(extra),
            ..UserInfo::default()
        }),
        ..TokenReviewStatus::default()
    }
}

const AGENT: &str = "system:serviceaccount:waypoint-system:waypoint-agent";

#[test]
fn a_service_account_is_a_workload() {
    let caller = known().caller(&answer("system:serviceaccount:shop:waypoint", &[]));
    let identity = SpiffeId::new("cluster.local", "shop", "waypoint");
    assert_eq!(caller, Ok(Caller::Workload(identity)));
}

#[test]
fn an_agent_is_its_node() {
    let bound = answer(AGENT, &[(POD_UID, "1-2"), (NODE_NAME, "n1")]);
    assert_eq!(known().caller(&bound), Ok(Caller::Node("n1".to_owned())));
}

#[test]
fn an_agents_token_without_a_pod_or_a_node_is_nobodys() {
    for extra in
        [&[][..], &[(POD_UID, "1-2")], &[(NODE_NAME, "n1")], &[(POD_UID, ""), (NODE_NAME, "n1")]]
    {
        let refused = known().caller(&answer(AGENT, extra)).unwrap_err();
        assert!(refused.contains("bound to no pod"), "{refused}");
    }
}

#[test]
fn who_the_api_server_does_not_vouch_for_is_nobody() {
    let mut refused = answer(AGENT, &[(POD_UID, "1-2"), (NODE_NAME, "n1")]);
    refused.authenticated = Some(false);
    assert!(known().caller(&refused).is_err());
    let mut elsewhere = answer("system:serviceaccount:shop:waypoint", &[]);
    elsewhere.audiences = Some(vec!["https://kubernetes.default.svc".to_owned()]);
    assert!(known().caller(&elsewhere).unwrap_err().contains("istio-ca"));
    elsewhere.audiences = None;
    assert!(known().caller(&elsewhere).is_err());
    for user in ["system:node:n1", "kubernetes-admin", "system:serviceaccount:shop"] {
        assert!(known().caller(&answer(user, &[])).is_err(), "{user}");
    }
}
