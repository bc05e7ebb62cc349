//! Certificates come and go while the mesh carries requests: they are renewed, their root is
//! exchanged, and one of them is revoked.

use std::io::{ErrorKind, Read};

use anyhow::{Result, ensure};
use waypoint_tests::{
    lab::{
        Family, Lab, LabBuilder, Pod, Proof, WaypointPod,
        authority::{CA_CERT, CA_KEY, ROOTS},
        wait::{self, SOON},
    },
    story,
    story::{none_fails_under_load, tell, two_nodes},
    wire::{Authority, Credentials},
};

/// Certificates of a few seconds; and two pods of the waypoint, neither on the client's node, so
/// that each hop is one of TLS.
fn short_lived(lab: LabBuilder) -> LabBuilder {
    two_nodes(lab)
        .pod(WaypointPod::of("shop", "waypoint").named("waypoint-b").on_node("n2"))
        .pod(Pod::new("shop", "mobile"))
        .certificate_seconds(LIFETIME_SECONDS)
}

/// What those prove themselves with whose certificates a request meets.
fn proofs(lab: &Lab) -> Result<Vec<Proof>> {
    PROVEN.iter().map(|pod| lab.proof_of(pod, "mobile")).collect()
}

/// Waits until each of them has had a new certificate so many times.
fn renewed(lab: &Lab, times: usize) -> Result<()> {
    for _ in 0..times {
        let before = proofs(lab)?;
        wait::until_true("new certificates", SOON, || {
            Ok(proofs(lab)?.iter().zip(&before).all(|(now, before)| now != before))
        })?;
    }
    Ok(())
}

/// Waits until the authority gives certificates that come with all these roots, and no others.
fn given_out(lab: &Lab, roots: &str) -> Result<()> {
    let mobile = lab.identity_of("mobile")?;
    let admittance = lab.authority()?.admit_account("shop/mobile")?;
    wait::until_true("certificates with the new roots", SOON, || {
        let given = admittance.certificate(lab.from("mobile").netns()?, &mobile)?;
        Ok(given.root.replace('\n', "") == roots.replace(['\r', '\n'], ""))
    })
}

/// Ends both waypoints in turn, as one should, so that whatever they had open is dialled anew.
fn dialled_anew(lab: &mut Lab) -> Result<()> {
    for pod in ["waypoint-b", "waypoint"] {
        lab.edit_pod(pod, |pod| pod.ready(false))?;
        lab.waypoint_mut(pod)?.stop()?;
        lab.resume_waypoint(pod)?;
        lab.edit_pod(pod, |pod| pod.ready(true))?;
    }
    Ok(())
}

/// The new root is told of; then it signs; then the old one goes.
fn exchange_root(lab: &mut Lab, new: &Authority) -> Result<()> {
    let both = lab.authority()?.read(ROOTS)? + new.root();
    lab.authority()?.put(ROOTS, &both)?;
    given_out(lab, &both)?;
    renewed(lab, 2)?;
    lab.authority()?.put(CA_KEY, &new.key())?;
    lab.authority()?.put(CA_CERT, new.intermediate())?;
    wait::until_true("certificates below the new root", SOON * 2, || all_below(lab, new))?;
    dialled_anew(lab)?;
    lab.authority()?.put(ROOTS, new.root())?;
    given_out(lab, new.root())?;
    renewed(lab, 2)?;
    dialled_anew(lab)
}

/// Whether everybody proves itself by this authority's intermediate.
fn all_below(lab: &Lab, authority: &Authority) -> Result<bool> {
    let over = |proof: &Proof| proof.leads_over(authority.intermediate());
    Ok(proofs(lab)?.iter().map(over).collect::<Result<Vec<_>>>()?.into_iter().all(|over| over))
}

#[test]
fn a_root_is_exchanged_in_three_steps_without_a_failed_request() {
    tell(Family::V4, |lab| {
        let mut lab = short_lived(lab).start()?;
        let new = Authority::new()?;
        let before = lab.authority()?.impostor()?.issue(&lab.identity_of("mobile")?)?;
        ensure!(!all_below(&lab, &new)?, "the new authority signs already");
        none_fails_under_load(&mut lab, |lab| exchange_root(lab, &new))?;
        ensure!(all_below(&lab, &new)?, "the old authority still signs");
        // Who was signed for below the old root is a stranger now, though it trusts everybody.
        let before = Credentials { root: before.root + new.root(), ..before };
        for pod in PROVEN {
            lab.proof_of(pod, "mobile")?;
            ensure!(lab.proof_to(pod, "mobile", &before).is_err(), "{pod} takes the old root");
        }
        Ok(())
    });
}

#[test]
fn certificates_of_seconds_are_renewed_without_a_failed_request() {
    tell(Family::V6, |lab| {
        let mut lab = short_lived(lab).start()?;
        none_fails_under_load(&mut lab, |lab| {
            for _ in 0..2 {
                renewed(lab, 2)?;
                dialled_anew(lab)?;
            }
            Ok(())
        })?;
        for node in ["n1", "n2"] {
            let metrics = lab.agent_on(node)?.metrics()?;
            let answers = |outcome| metrics.sum(REQUESTS, &[("outcome", outcome)]);
            ensure!(answers("issued") > 4.0, "{} certificates on {node}", answers("issued"));
            for failed in ["refused", "unreachable", "invalid"] {
                ensure!(answers(failed).abs() < 0.1, "{} {failed} on {node}", answers(failed));
            }
        }
        Ok(())
    });
}

story!(a_revoked_pod_is_cut_off_and_the_others_are_not, |lab| {
    let lab = two_nodes(lab).pod(Pod::new("shop", "mobile")).start()?;
    let (web, mobile) = (lab.from("web").to("reviews"), lab.from("mobile").to("reviews"));
    let (mut of_web, mut of_mobile) = (web.open()?, mobile.open()?);
    for (live, call) in [(&mut of_web, &web), (&mut of_mobile, &mobile)] {
        ensure!(live.exchange(call.request())?.status == 200);
    }
    let serial = lab.proof_of("web", "mobile")?.serial()?;
    lab.authority()?.revoke(&[&serial])?;
    // Nothing is sent on it: that it ends is the mesh's doing.
    let end = of_web.stream().read(&mut [0]);
    let is_over =
        end.as_ref().map_or_else(|cause| cause.kind() == ErrorKind::ConnectionReset, |n| *n == 0);
    ensure!(is_over, "the live connection was not cut: {end:?}");
    ensure!(of_mobile.exchange(mobile.request())?.status == 200);
    lab.across(&mobile, "waypoint")?;
    lab.cut_off(&web)?;
    wait::until_true("a refused handshake", SOON, || {
        Ok(lab.waypoint("waypoint")?.metrics()?.sum(REJECTIONS, &[]) >= 1.0)
    })?;
    ensure!(lab.proof_of("web", "mobile")?.serial()? == serial, "it was not renewed meanwhile");
    lab.authority()?.revoke(&[])?;
    wait::until_true("an answer to the pod that is not revoked any more", SOON, || {
        Ok(web.send()?.status == 200)
    })
});

/// Whom a request from `web` meets.
const PROVEN: [&str; 4] = ["web", "waypoint", "waypoint-b", "reviews-v1"];
const LIFETIME_SECONDS: u64 = 6;
const REQUESTS: &str = "waypoint_certificate_requests_total";
const REJECTIONS: &str = "istio_crl_policy_rejections_total";
