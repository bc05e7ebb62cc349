use std::path::Path;

use super::{check_crates, check_names};

#[test]
fn a_test_that_a_table_names_exists() {
    let sources = ["fn a_pod_opts_out() {}".to_owned()];
    for missing in ["a_pod_comes_back", "a_pod_opts", "pod_opts_out"] {
        let table = format!("| opt out | `a_pod_opts_out`, `{missing}` |\nprose with `a_b_c`\n");
        let complaints = check_names(Path::new("README.md"), &table, &sources);
        assert_eq!(complaints.len(), 1);
        assert!(complaints[0].to_string().contains(missing));
    }
}

#[test]
fn a_metric_is_not_a_test() {
    assert!(check_names(Path::new("README.md"), "| `istio_requests_total` |", &[]).is_empty());
}

#[test]
fn a_limit_that_a_table_names_exists() {
    let sources = ["const LINES_MAX: usize = 3;".to_owned()];
    let table = "| `LINES_MAX` | 3 |\n| `WORDS_MAX` | 4 |\n";
    assert_eq!(check_names(Path::new("README.md"), table, &sources).len(), 1);
}

#[test]
fn every_crate_is_explained() {
    let crates = ["serde_json", "nix"].map(str::to_owned);
    let complaints = check_crates(Path::new("ARCHITECTURE.md"), "| `serde-json` | JSON |", &crates);
    assert_eq!(complaints.len(), 1);
}
