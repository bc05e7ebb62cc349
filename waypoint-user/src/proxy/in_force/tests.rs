use super::*;

#[test]
fn a_snapshot_is_in_force_when_the_last_worker_goes_by_it() {
    let (first, second) = (Arc::new(Snapshot::default()), Arc::new(Snapshot::default()));
    let in_force = InForce::new(2);
    let of_all = in_force.of_all();
    let is = |snapshot: &Arc<Snapshot>| {
        of_all.borrow().as_ref().is_some_and(|one| Arc::ptr_eq(one, snapshot))
    };
    in_force.reached(0, &first);
    assert!(!is(&first));
    in_force.reached(1, &first);
    assert!(is(&first));
    in_force.reached(1, &second);
    assert!(is(&first), "equal contents are not the same Snapshot");
    in_force.reached(0, &second);
    assert!(is(&second));
}
