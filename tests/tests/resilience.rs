//! TrafficPolicies of manifests, end to end: what clients get, and what is told of it.

use waypoint_tests::{
    lab::wait::{self, SOON},
    story,
    story::shop_behind_waypoint,
};

/// A policy for the Service `reviews`.
fn policy(rest: &str) -> String {
    format!(
        "apiVersion: waypoint.dev/v1alpha1\nkind: TrafficPolicy\n\
         metadata: {{name: reviews, namespace: shop}}\n\
         spec:\n  targetRefs: [{{group: \"\", kind: Service, name: reviews}}]\n  {rest}\n"
    )
}

story!(a_policy_aborts_requests_until_it_is_withdrawn, |lab| {
    let mut lab = shop_behind_waypoint(lab).start()?;
    lab.apply("policy.yaml", &policy("fault: {abort: {httpStatus: 418, percentage: 100}}"))?;
    let becomes = |lab: &waypoint_tests::lab::Lab, status| {
        let call = lab.from("web").to("reviews");
        wait::until_true("another answer", SOON, || Ok(call.send()?.status == status))
    };
    becomes(&lab, 418)?;
    lab.wait_for_line("the fault", |line| line["response_flags"] == "FI")?;
    // What is not understood changes nothing.
    lab.apply("policy.yaml", &policy("fault: {abort: {status: 200}}"))?;
    assert_eq!(lab.from("web").to("reviews").send()?.status, 418);
    assert!(lab.analyze()?.contains("TrafficPolicy shop/reviews"), "{}", lab.analyze()?);
    lab.withdraw("policy.yaml")?;
    becomes(&lab, 200)
});
