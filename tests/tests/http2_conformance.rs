//! What an HTTP/2 server must do, as `h2spec` tries it, of a waypoint that is spoken to in clear.

use anyhow::{Context, ensure};
use waypoint_tests::{go, story, story::shop_behind_waypoint};

/// Cases that do not pass, and why.
const KNOWN: &[(&str, &str)] = &[(
    "2: Sends invalid connection preface",
    "what does not begin with the preface is taken for HTTP/1, and refused as that",
)];

/// Cases of the three parts that are asked for.
const CASES_MIN: usize = 144;

story!(http2_is_served_as_its_specification_demands, |lab| {
    let lab = shop_behind_waypoint(lab).start()?;
    let h2spec = go::h2spec()?;
    let url = lab.from("web").to("reviews").path("/").url()?;
    let authority = url.strip_prefix("http://").and_then(|rest| rest.strip_suffix('/'));
    let host = authority.context("a URL of another form")?.rsplit_once(':');
    let (host, port) = host.unwrap_or((authority.unwrap_or_default(), "80"));
    // It ends with an error when a case fails, which is looked at here.
    let line = format!("{} generic http2 hpack -h {host} -p {port} -o 5 || true", h2spec.display());
    let told = lab.from("web").run("sh", &["-c", &line])?;
    let passed = passed(&told).with_context(|| told.clone())?;
    let failed: Vec<&str> = told.lines().filter(|line| line.contains('×')).collect();
    let unknown = |line: &&&str| !KNOWN.iter().any(|(case, _)| line.contains(case));
    let unknown: Vec<_> = failed.iter().filter(unknown).collect();
    ensure!(unknown.is_empty(), "{unknown:#?}\n{told}");
    ensure!(passed >= CASES_MIN, "only {passed} passed\n{told}");
    Ok(())
});

/// From `146 tests, 145 passed, 1 skipped, 0 failed`.
fn passed(told: &str) -> Option<usize> {
    let line = told.lines().find(|line| line.contains(" passed, "))?;
    line.split(", ").find_map(|part| part.strip_suffix(" passed"))?.parse().ok()
}
