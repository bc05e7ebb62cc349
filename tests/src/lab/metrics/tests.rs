use super::Metrics;

const SCRAPE: &str = "\
# HELP a_total Things.
# TYPE a_total counter
a_total{x=\"1\",y=\"say \\\"a,b\\\"\"} 2
a_total{x=\"1\",y=\"\"} 3
a_total{x=\"2\"} 5
b 7.5
";

#[test]
fn samples_are_summed_by_labels() {
    let metrics = Metrics::parse(SCRAPE);
    let sum = |labels: &[(&str, &str)]| metrics.sum("a_total", labels).to_string();
    assert_eq!(sum(&[]), "10");
    assert_eq!(sum(&[("x", "1")]), "5");
    assert_eq!(sum(&[("y", "say \"a,b\"")]), "2");
    assert_eq!(sum(&[("y", "")]), "3");
    assert_eq!(metrics.sum("b", &[]).to_string(), "7.5");
    assert!(metrics.has("b", &[]) && !metrics.has("c", &[]) && !metrics.has("b", &[("x", "1")]));
}
