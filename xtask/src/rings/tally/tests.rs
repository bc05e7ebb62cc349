use super::Tally;

fn read(output: &str) -> (Tally, Vec<&str>) {
    let mut tally = Tally::default();
    let shown = output.lines().filter(|line| tally.read(line)).collect();
    (tally, shown)
}

#[test]
fn results_of_several_programs_add_up() {
    let (tally, _) = read(
        "test a ... ok\n\
         test result: ok. 1 passed; 0 failed; 0 ignored;\n\
         test result: FAILED. 2 passed; 3 failed; 0 ignored;",
    );
    assert_eq!((tally.passed, tally.failed, tally.skipped), (3, 3, 0));
}

#[test]
fn an_ignored_test_is_skipped_with_its_reason() {
    let (tally, _) = read(
        "test slow ... ignored, takes an hour\n\
         test result: ok. 0 passed; 0 failed; 1 ignored;",
    );
    assert_eq!(tally.skipped, 1);
    assert_eq!(tally.skips, ["slow: takes an hour"]);
}

#[test]
fn a_test_that_says_it_cannot_run_is_skipped_not_passed() {
    let (tally, shown) = read(
        "test tcx ... ok\n\
         \n\
         successes:\n\
         \n\
         ---- tcx stdout ----\n\
         chatter\n\
         SKIP: this kernel has no tcx\n\
         \n\
         successes:\n\
             tcx\n\
         \n\
         test result: ok. 1 passed; 0 failed; 0 ignored;",
    );
    assert_eq!((tally.passed, tally.failed, tally.skipped), (0, 0, 1));
    assert_eq!(tally.skips, ["tcx: this kernel has no tcx"]);
    assert_eq!(shown.len(), 3, "the output of tests that passed is not repeated: {shown:?}");
}

#[test]
fn a_failed_test_is_named_and_its_output_shown() {
    let (tally, shown) = read(
        "test fine ... ok\n\
         test broken ... FAILED\n\
         \n\
         successes:\n\
         \n\
         ---- fine stdout ----\n\
         chatter\n\
         \n\
         failures:\n\
         \n\
         ---- broken stdout ----\n\
         assertion failed\n\
         \n\
         test result: FAILED. 1 passed; 1 failed; 0 ignored;",
    );
    assert_eq!(tally.failures, ["broken"]);
    assert!(shown.contains(&"assertion failed"));
    assert!(!shown.contains(&"chatter"));
}

#[test]
fn a_test_that_runs_twice_is_told_apart() {
    let mut tally = Tally::default();
    tally.read("test a ... FAILED");
    let before = tally.mark();
    tally.read("test a ... FAILED");
    tally.skip("b", "needs root");
    tally.name_since(before, "with a cluster: ");
    assert_eq!(tally.failures, ["a", "with a cluster: a"]);
    assert_eq!(tally.skips, ["with a cluster: b: needs root"]);
}
