//! What is written to the API server is in the Snapshot.

use anyhow::{Result, ensure};
use waypoint_tests::kube::ControlPlane;
use waypoint_user::mesh::object::ObjectName;

use crate::reader::{Reader, has_service, policy, ports, service};

#[test]
fn what_is_made_changed_and_deleted_is_so_in_the_snapshot() -> Result<()> {
    let plane = ControlPlane::shared()?;
    let shop = plane.namespace("changes")?;
    let reader = Reader::start(plane.kubeconfig())?;
    plane.apply(&service(&shop, "reviews", 80))?;
    reader.wait("made", has_service(&shop, "reviews"))?;
    plane.apply(&service(&shop, "reviews", 81))?;
    reader.wait("changed", |snapshot| ports(snapshot, &shop, "reviews") == [81])?;
    plane.kubectl(&["delete", "service", "reviews", "-n", &shop])?;
    reader.wait("deleted", |snapshot| !has_service(&shop, "reviews")(snapshot))?;
    Ok(())
}

#[test]
fn what_is_there_already_is_in_the_first_snapshot() -> Result<()> {
    let plane = ControlPlane::shared()?;
    let shop = plane.namespace("first")?;
    plane.apply(&(service(&shop, "reviews", 80) + &policy(&shop, "reviews", "10.0.0.0/8")))?;
    for _ in 0..5 {
        let snapshot = Reader::start(plane.kubeconfig())?.snapshot();
        ensure!(has_service(&shop, "reviews")(&snapshot), "no Service");
        ensure!(snapshot.policies().contains_key(&ObjectName::new(&shop, "deny")), "no policy");
    }
    Ok(())
}

#[test]
fn of_two_writes_that_conflict_the_one_that_the_server_kept_counts() -> Result<()> {
    let plane = ControlPlane::shared()?;
    let shop = plane.namespace("conflict")?;
    plane.apply(&service(&shop, "reviews", 80))?;
    let reader = Reader::start(plane.kubeconfig())?;
    let stale = plane.kubectl(&["get", "service", "reviews", "-n", &shop, "-o", "json"])?;
    plane.apply(&service(&shop, "reviews", 81))?;
    let replaced = plane.kubectl_with(plane.kubeconfig(), &["replace", "-f", "-"], &stale);
    let refusal = format!("{:#}", replaced.expect_err("a stale version was taken"));
    ensure!(refusal.contains("Conflict"), "{refusal}");
    reader.wait("the kept one", |snapshot| ports(snapshot, &shop, "reviews") == [81])?;
    Ok(())
}

#[test]
fn a_policy_that_cannot_be_understood_keeps_its_last_good_version() -> Result<()> {
    let plane = ControlPlane::shared()?;
    let shop = plane.namespace("invalid")?;
    plane.apply(&(service(&shop, "reviews", 80) + &policy(&shop, "reviews", "10.0.0.0/8")))?;
    let reader = Reader::start(plane.kubeconfig())?;
    let name = ObjectName::new(&shop, "deny");
    let good = reader.snapshot().policies().get(&name).cloned();
    ensure!(good.is_some(), "the good version is not in force");
    plane.apply(&policy(&shop, "reviews", "nonsense"))?;
    reader.wait_for_report("refused", |report| {
        let mut told = report.iter().filter(|(object, _)| object.name == name);
        told.any(|(_, finding)| finding.message.contains("last good version stays in force"))
    })?;
    ensure!(reader.snapshot().policies().get(&name) == good.as_ref(), "it is not in force");
    // Whoever never saw the good version denies.
    let later = Reader::start(plane.kubeconfig())?;
    let unread = later.snapshot().policies().get(&name).cloned();
    ensure!(unread.is_some() && unread != good, "{unread:?}");
    plane.apply(&policy(&shop, "reviews", "192.168.0.0/16"))?;
    for reader in [&reader, &later] {
        let is_new = |found: Option<&std::sync::Arc<_>>| {
            found.is_some() && found != good.as_ref() && found != unread.as_ref()
        };
        reader.wait("understood again", |snapshot| is_new(snapshot.policies().get(&name)))?;
    }
    Ok(())
}
