use super::Ledger;

#[test]
fn an_empty_ledger_proves_nothing() {
    assert!(!Ledger::default().holds());
}

#[test]
fn one_difference_is_enough() {
    let mut ledger = Ledger::default();
    ledger.same("captured", "1", "1");
    assert!(ledger.holds());
    ledger.same("captured", "1", "0");
    assert!(!ledger.holds());
}
