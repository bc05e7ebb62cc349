//! What an HTTP/2 server must do, as `h2spec` tries it, of a waypoint that is spoken to in clear.

use anyhow::{Context, ensure};
use waypoint_tests::{
    go,
    lab::{Service, object::SERVER_PORT},
    story,
    story::shop_behind_waypoint,
};

/// Cases of the three parts that are asked for; the one beside them is for servers that take no
/// second request.
const CASES: usize = 145;

story!(http2_is_served_as_its_specification_demands, |lab| {
    let service = Service::new("shop", "reviews").port("http2", 80, SERVER_PORT);
    let lab = shop_behind_waypoint(lab).service(service).start()?;
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
    ensure!(failed.is_empty(), "{failed:#?}\n{told}");
    ensure!(passed >= CASES, "only {passed} passed\n{told}");
    Ok(())
});

/// From `146 tests, 145 passed, 1 skipped, 0 failed`.
fn passed(told: &str) -> Option<usize> {
    let line = told.lines().find(|line| line.contains(" passed, "))?;
    line.split(", ").find_map(|part| part.strip_suffix(" passed"))?.parse().ok()
}
